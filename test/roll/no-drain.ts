/**
 * Loaded into a process of a roll (`NODE_OPTIONS=--import`): it ends at once when it is told to, with all that it has in
 * hand.
 */
process.prependListener('SIGTERM', () => process.exit(0))
