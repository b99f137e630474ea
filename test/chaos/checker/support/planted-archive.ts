import { type Plant } from './plant.ts'

export const archivePlants: readonly Plant[] = [
  {
    title: 'a row that the archive skipped',
    plant(run, pick) {
      const skipped = pick(run.final.archive)
      if (!skipped) return undefined
      run.final.archive = run.final.archive.filter((one) => one !== skipped)
      return { rule: 'archive-has-the-streams', id: skipped.id }
    },
  },
  {
    title: 'a row twice in the archive',
    plant(run, pick) {
      const twice = pick(run.final.archive)
      if (!twice) return undefined
      run.final.archive.push({ ...twice })
      return { rule: 'archive-has-the-streams', id: twice.id }
    },
  },
  {
    title: 'a row that says something else',
    plant(run, pick) {
      const changed = pick(run.final.archive)
      if (!changed) return undefined
      changed.digest = `${changed.digest.startsWith('0') ? '1' : '0'}${changed.digest.slice(1)}`
      return { rule: 'archive-has-the-streams', id: changed.id }
    },
  },
  {
    title: 'a row of what no stream has',
    plant(run) {
      run.final.archive.push({ stream: 'OTHER', epoch: 1, seq: 7, id: 'nobody-s', digest: '0123456789abcdef' })
      return { rule: 'archive-has-the-streams', id: 'nobody-s' }
    },
  },
]
