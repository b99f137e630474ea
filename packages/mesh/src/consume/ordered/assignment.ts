/**
 * Which instance should have which partition: the same answer wherever it is asked, from the same members. Each has its
 * fair share, at most one more than another; when one comes or goes, most partitions stay where they are (rendezvous
 * hashing, bounded).
 */
export function assign(members: readonly string[], partitions: number): readonly string[] {
  if (members.length === 0) return []
  const most = Math.ceil(partitions / members.length)
  const crowded = partitions % members.length || members.length
  const load = new Map(members.map((member) => [member, 0]))
  let full = 0
  return Array.from({ length: partitions }, (_, partition) => {
    // Only so many may have one more than the rest, or the last ones would get too few.
    const limit = full < crowded ? most : most - 1
    const chosen = ranked(members, partition).find((member) => (load.get(member) ?? 0) < limit) ?? members[0]!
    const count = (load.get(chosen) ?? 0) + 1
    load.set(chosen, count)
    if (count === most) full++
    return chosen
  })
}

function ranked(members: readonly string[], partition: number): string[] {
  return members
    .map((member) => ({ member, weight: hash(`${member}/${partition}`) }))
    .sort((a, b) => b.weight - a.weight || (a.member < b.member ? -1 : 1))
    .map(({ member }) => member)
}

/** FNV-1a 32 with a final mix (murmur3's), since short names differ in their last characters only. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
