import type { TableConstructorOptions } from 'cli-table3'

/** A frame, and no line between rows. */
export function tableStyle(colors: boolean): TableConstructorOptions {
  return {
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: colors ? ['gray'] : [] },
  }
}
