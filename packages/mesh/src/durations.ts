/** Milliseconds of `n` seconds. */
export const seconds = (n: number): number => n * 1_000
/** Milliseconds of `n` minutes. */
export const minutes = (n: number): number => n * 60_000
/** Milliseconds of `n` hours. */
export const hours = (n: number): number => n * 3_600_000
/** Milliseconds of `n` days. */
export const days = (n: number): number => n * 86_400_000
