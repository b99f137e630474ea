const tasks = new Set<() => void>()

/**
 * Runs `task` should this process end with it still registered: test runners end a file's process with SIGTERM, perhaps
 * before anyone has disposed. Returns how to take it back.
 */
export function atExit(task: () => void): () => void {
  if (tasks.size === 0) {
    process.on('exit', runAll)
    process.on('SIGTERM', onTerm)
  }
  tasks.add(task)
  return () => {
    tasks.delete(task)
    if (tasks.size === 0) letGo()
  }
}

function runAll(): void {
  for (const task of tasks) task()
  tasks.clear()
}

/** Without anyone else who listens, the signal must still end the process. */
function onTerm(): void {
  if (process.listenerCount('SIGTERM') > 1) return
  runAll()
  letGo()
  process.kill(process.pid, 'SIGTERM')
}

function letGo(): void {
  process.off('exit', runAll)
  process.off('SIGTERM', onTerm)
}
