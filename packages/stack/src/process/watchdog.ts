import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

/**
 * Ends what this process started, should this process be killed with a signal nobody can catch.
 *
 * W1. One `sh` a parent, in a session of its own, reads from a pipe whose only other end is in the parent: when the
 *     parent is gone, for whatever reason, the read ends. No prctl, no polling, no library.
 * W2. A child is announced before it may run (spawn.ts waits for a line on its descriptor 3), so none is ever unknown.
 * W3. It ends whole process groups, TERM first and KILL three seconds later: grandchildren are ended too.
 */
const SCRIPT = `
trap '' HUP INT TERM
exec 2>/dev/null
groups=
while read -r what group; do
  case $what in
    +) groups="$groups $group" ;;
    -) kept=; for g in $groups; do [ "$g" = "$group" ] || kept="$kept $g"; done; groups=$kept ;;
  esac
done
for g in $groups; do kill -s TERM -- "-$g"; done
for _ in 1 2 3; do
  left=
  for g in $groups; do kill -s 0 -- "-$g" && left="$left $g"; done
  groups=$left
  [ -n "$groups" ] || exit 0
  sleep 1
done
for g in $groups; do kill -s KILL -- "-$g"; done
`

const watched = new Set<number>()
let line: Writable | undefined

/** From now on the process group `pgid` ends with this process. */
export function watch(pgid: number): void {
  watched.add(pgid)
  if (line) line.write(`+ ${pgid}\n`)
  else line = startWatchdog()
}

export function unwatch(pgid: number): void {
  if (watched.delete(pgid)) line?.write(`- ${pgid}\n`)
}

function startWatchdog(): Writable {
  const child = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' })
  const { stdin } = child
  const gone = (): void => {
    if (line !== stdin) return
    line = undefined
    if (watched.size > 0) line = startWatchdog()
  }
  child.once('error', gone)
  child.once('exit', gone)
  stdin.on('error', () => {})
  child.unref()
  // A child process' pipe is a socket, which may be let go of; the stream type does not say so.
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  stdin.write([...watched].map((pgid) => `+ ${pgid}\n`).join(''))
  return stdin
}
