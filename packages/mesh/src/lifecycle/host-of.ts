/** Name or address in a URL, as sockets and certificates have it: one of IPv6 without its brackets. */
export const hostOf = (url: string): string => new URL(url).hostname.replaceAll(/[[\]]/g, '')
