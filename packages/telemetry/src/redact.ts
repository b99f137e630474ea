/** Environment variables as a process gets them. */
export type Env = Readonly<Record<string, string | undefined>>

const MASK = '[redacted]'

/** Names whose value is never shown, in JSON at any depth and also inside a string that holds JSON. */
const NAMES = String.raw`authorization|proxy-authorization|cookie|set-cookie|x-api-key|api_?key|pass(?:word|wd)?|secret|client_?secret|token|access_?token|refresh_?token|nkey_?seed|seed|credentials|private_?key`

const NUMBER = String.raw`-?\d[\d.eE+-]*`
const STRING = String.raw`"(?:[^"\\]|\\.)*"`
/** The same inside a string that holds JSON, where each quote and backslash has one more backslash before it. */
const INNER_STRING = String.raw`\\"(?:[^"\\]|\\\\(?:\\["\\]|[^"\\]))*\\"`

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(String.raw`"(${NAMES})"\s*:\s*(?:${STRING}|${NUMBER})`, 'gi'), `"$1":"${MASK}"`],
  [new RegExp(String.raw`\\"(${NAMES})\\"\s*:\s*(?:${INNER_STRING}|${NUMBER})`, 'gi'), `\\"$1\\":\\"${MASK}\\"`],
  // The user part of a URL: nats://user:secret@host, http://token@host.
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/"'@\\]+@/gi, `$1${MASK}@`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${MASK}`],
  // NATS seeds (SU…, SA…, SO…) and JSON Web Tokens, which NATS credentials are as well.
  [/\bS[UAOCNX][A-Z2-7]{56}\b/g, MASK],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)?/g, MASK],
]

const SECRET_NAME = /(?:PASS|PASSWORD|TOKEN|SECRET|SEED|API_?KEY|PRIVATE_KEY|CREDENTIALS)$/

/**
 * Makes the function that takes secrets out of a line of log or an attribute of a span: by name of the field, by shape
 * (credentials in a URL, bearer tokens, NATS seeds), and by value: what this process got in variables such as
 * `NATS_PASSWORD`, or as the user part of a URL, appears nowhere.
 */
export function redactor(env: Env): (text: string) => string {
  const secrets = secretValues(env)
  return (text) => {
    let safe = text
    for (const [pattern, mask] of PATTERNS) safe = safe.replace(pattern, mask)
    for (const secret of secrets) safe = safe.replace(secret, MASK)
    return safe
  }
}

/** Longest first, so that one that contains another goes as a whole. Under four characters a value would match anything. */
function secretValues(env: Env): RegExp[] {
  const values = new Set<string>()
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue
    if (SECRET_NAME.test(name)) values.add(value)
    for (const [, user, password] of value.matchAll(/:\/\/([^\s/:@]+)(?::([^\s/@]+))?@/g)) {
      // With no password the user part is a token: nats://s3cr3t@host.
      const secret = password ?? user ?? ''
      values.add(secret)
      values.add(decoded(secret))
    }
  }
  const written = [...values].flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
  return [...new Set(written)]
    .filter((value) => value.length >= 4 && !/^(true|false|null)$/.test(value))
    .sort((a, b) => b.length - a.length)
    .map(patternOf)
}

/** A number is left alone where it stands as a number: masking `"seq":123456` would break the line for whoever reads it. */
function patternOf(secret: string): RegExp {
  const literal = RegExp.escape(secret)
  return new RegExp(/^\d+$/.test(secret) ? `(?<![:,[])${literal}|${literal}(?![,}\\]])` : literal, 'g')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
