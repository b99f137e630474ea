/** `SAGA` and `order` as the name of a bucket: `SAGA_ORDER`. */
export function bucketName(kind: string, name: string): string {
  return `${kind}_${name.toUpperCase()}`
}
