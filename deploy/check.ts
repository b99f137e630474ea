/** `node deploy/check.ts <folder of a kustomization> …`: says what is wrong before a cluster does. Exits 1 if anything is. */
import { basename } from 'node:path'
import { faultsOf, render } from './rendered.ts'

const folders = process.argv.slice(2)
if (folders.length === 0) {
  process.stderr.write('say which: node deploy/check.ts deploy/overlays/production\n')
  process.exitCode = 2
}
for (const folder of folders) {
  const objects = await render(folder)
  const faults = faultsOf(basename(folder), objects)
  for (const fault of faults) process.stdout.write(`${folder}: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
  else process.stderr.write(`${folder}: ${objects.length} objects, as they should be\n`)
}
