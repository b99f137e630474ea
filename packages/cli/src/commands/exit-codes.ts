/** All commands end so; docs/reference/cli.md. 0 is done, or yes; 1 an error. */

/** It ran, and the answer is no. */
export const EXIT_NO = 3
/** Of `doctor`: something is broken, not only worth a look. */
export const EXIT_BROKEN = 4
