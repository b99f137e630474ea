import { useEffect, useRef, useState } from 'preact/hooks'
import type { ProblemView } from '../../src/api/schemas/shared.ts'
import { act, problemOf } from '../api/client.ts'

export type Planned<T> = {
  plan: T | undefined
  problem: ProblemView | undefined
  isLooking: boolean
  look: () => Promise<void>
}

/** What a run would send, asked anew whenever `asked` (JSON) changes; nothing is asked without it. The last question counts. */
export function usePlan<T>(path: string, asked: string | undefined): Planned<T> {
  const [found, setFound] = useState<{ plan?: T; problem?: ProblemView }>({})
  const [isLooking, setLooking] = useState(false)
  const latest = useRef(0)
  const look = async (): Promise<void> => {
    const turn = ++latest.current
    setLooking(asked !== undefined)
    const answer = await answerTo()
    if (turn !== latest.current) return
    setFound(answer)
    setLooking(false)
  }
  const answerTo = async (): Promise<{ plan?: T; problem?: ProblemView }> => {
    if (asked === undefined) return {}
    try {
      return { plan: await act<T>(path, JSON.parse(asked)) }
    } catch (error) {
      return { problem: problemOf(error) }
    }
  }
  useEffect(() => {
    setFound({})
    void look()
  }, [path, asked])
  return { plan: found.plan, problem: found.problem, isLooking, look }
}
