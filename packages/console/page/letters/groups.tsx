import { useLocation } from 'preact-iso'
import type { JSX } from 'preact'
import type { GroupRow } from '../../src/api/schemas/letters.ts'
import { Section } from '../parts/panels.tsx'
import { pick, queryOf } from '../parts/query.ts'
import { Text, Why } from '../parts/text.tsx'
import { number, plural, Time } from '../parts/time.tsx'
import { FILTERS } from './filter.ts'

/** Letters that failed in the same way, the most first: what to mend before anything is sent again. */
export function Groups({ groups, total }: { groups: readonly GroupRow[]; total: number }): JSX.Element {
  const { query } = useLocation()
  const others = pick(query, [...FILTERS, 'state'])
  return (
    <Section title="Why they failed" aside={<span class="aside">{plural(groups.length, 'group')}</span>}>
      <ul class="groups">
        {groups.map((group) => (
          <li key={group.group}>
            <div class="share" aria-hidden="true">
              <svg viewBox="0 0 100 6" preserveAspectRatio="none">
                <rect width={(group.letters / total) * 100} height="6" />
              </svg>
            </div>
            <div class="group-count">
              <strong>{number(group.letters)}</strong>
            </div>
            <div class="group-what">
              <a class="group-reason" data-row href={`/letters${queryOf({ ...others, group: group.group })}`}>
                <Why code={group.code} reason={group.reason} />
              </a>
              <p class="group-of">
                <Text>{whose(group)}</Text> · <code>{group.code}</code> · <Time at={group.firstAt} /> to{' '}
                <Time at={group.lastAt} />
              </p>
            </div>
            <div class="group-act">
              <a
                class="button"
                href={`/redrive${queryOf({ ...pick(query, FILTERS), group: group.group })}`}
                aria-label={`Redrive the group ${group.group}`}
              >
                Redrive…
              </a>
            </div>
          </li>
        ))}
      </ul>
    </Section>
  )
}

export function whose({
  service,
  handler,
}: {
  service?: string | null | undefined
  handler?: string | null | undefined
}): string {
  return service ? `${service}/${handler}` : 'a spool'
}
