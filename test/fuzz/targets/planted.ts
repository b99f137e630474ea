import { check, type Target } from '../engine/target.ts'
import { readNote } from './planted-decoder.ts'

/** A decoder with a defect on purpose, to show that the fuzzer finds what is behind four bytes that must be right. */
export const planted: Target = {
  name: 'planted',
  run(bytes) {
    const note = readNote(bytes)
    check(note === undefined || note.every((byte) => byte !== undefined), 'a note has bytes that were not there')
  },
  seeds: [],
}
