import { ENDS_SOON_MS, type Expiring, type Mesh } from '@malha/mesh'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warn, fail } = findingsOf('certificates')

/** Certificates of servers (`known` ones, and those of the cluster), and what this user shows of itself: when they end. */
export async function checkExpiring(mesh: Mesh, known: readonly string[]): Promise<Finding[]> {
  const { connect_urls: others = [] } = mesh.nats.info!
  const found = await mesh.expiring([...new Set([mesh.nats.getServer(), ...known, ...others])])
  return expiringFindings(found, new Date())
}

/** Pure. */
export function expiringFindings(found: readonly Expiring[], now: Date): Finding[] {
  const first = found.toSorted((a, b) => a.endsAt.getTime() - b.endsAt.getTime())
  const findings = first.flatMap(({ kind, of, endsAt }) => {
    const leftMs = endsAt.getTime() - now.getTime()
    if (leftMs > ENDS_SOON_MS) return []
    const { name, fix } = WORDS[kind]
    return leftMs <= 0
      ? [fail(of, `${name} ended at ${endsAt.toISOString()}: connections made since then are refused`, fix)]
      : [warn(of, `${name} ends at ${endsAt.toISOString()}; connections made after that are refused`, fix)]
  })
  const [next] = first
  if (findings.length > 0 || next === undefined) return findings
  return [ok(next.of, `${WORDS[next.kind].name} is the first to end, at ${next.endsAt.toISOString()}`)]
}

const WORDS: Readonly<Record<Expiring['kind'], { name: string; fix: string }>> = {
  server_certificate: {
    name: 'the certificate of this server',
    fix: 'put a renewed one into its files and have it read them: nats-server --signal reload',
  },
  client_certificate: {
    name: 'the certificate that this user shows',
    fix: 'put a renewed one into the file, with its key; it is read at the next connection',
  },
  authority: {
    name: 'the last authority in this file',
    fix: 'add the authority that follows it to the file, on both sides, before certificates are signed by it',
  },
  credentials: {
    name: 'the credentials of this user',
    fix: 'issue new ones and put them into the file; it is read at the next connection',
  },
}
