import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { LetterRow } from '../../src/api/schemas/letters.ts'
import { Badge, Scroll } from '../parts/panels.tsx'
import { Text, Why } from '../parts/text.tsx'
import { Time } from '../parts/time.tsx'
import { whose } from './groups.tsx'

type LetterTableProps = { letters: readonly LetterRow[]; selected: Signal<ReadonlySet<number>> }

export function LetterTable({ letters, selected }: LetterTableProps): JSX.Element {
  const toggle = (seqs: readonly number[], isOn: boolean): void => {
    const next = new Set(selected.value)
    for (const seq of seqs)
      if (isOn) next.add(seq)
      else next.delete(seq)
    selected.value = next
  }
  const all = letters.map(({ seq }) => seq)
  const isAll = all.length > 0 && all.every((seq) => selected.value.has(seq))
  return (
    <Scroll label="Letters">
      <table>
        <caption class="unseen">Dead letters, the newest first</caption>
        <thead>
          <tr>
            <th scope="col" class="box">
              <input
                type="checkbox"
                aria-label="Select all letters of this page"
                checked={isAll}
                onChange={() => toggle(all, !isAll)}
              />
            </th>
            <th scope="col">Letter</th>
            <th scope="col">Written</th>
            <th scope="col" class="wide">
              Handler
            </th>
            <th scope="col">Key</th>
            <th scope="col">State</th>
            <th scope="col" class="grow">
              Why
            </th>
          </tr>
        </thead>
        <tbody>
          {letters.map((letter) => (
            <tr key={letter.seq} class={selected.value.has(letter.seq) ? 'selected' : ''}>
              <td class="box">
                <input
                  type="checkbox"
                  aria-label={`Select letter ${letter.seq}`}
                  checked={selected.value.has(letter.seq)}
                  onChange={() => toggle([letter.seq], !selected.value.has(letter.seq))}
                />
              </td>
              <td>
                <a data-row href={`/letters/${letter.seq}`}>
                  {letter.seq}
                </a>
              </td>
              <td class="nowrap">
                <Time at={letter.at} />
              </td>
              <td class="wide">
                <Text>{whose(letter)}</Text>
              </td>
              <td class="clip">
                <Text>{letter.key ?? letter.id ?? letter.origin.seq}</Text>
              </td>
              <td>
                <Badge kind={letter.state}>{letter.state}</Badge>
                {letter.redrives > 0 && (
                  <span class="times" title={`sent again ${letter.redrives} times`}>
                    ×{letter.redrives}
                  </span>
                )}
              </td>
              <td class="why">
                <code>{letter.code}</code> <Why code={letter.code} reason={letter.reason} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
