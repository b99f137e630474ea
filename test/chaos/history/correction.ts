/** What a message says of itself when its dead letter was corrected: always the same, however often that is done. */
export const correctionOf = (id: string): string => `corrected: ${id}`

/** Of `Facts.corrections`: nobody corrected its letter, somebody tried to and was not told, somebody did. */
export const CORRECTION = { none: 0, perhaps: 1, certain: 2 } as const
