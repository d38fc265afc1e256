import { join } from 'node:path'
import { chosenEngine } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import { openStage, type Stage, type StageOptions } from './stage.ts'

/** They wait for the database most of the time; in `ci` it takes longer to open more of them than they save. */
const lanesOf = (size: ProofContext['size']): number => (size === 'ci' ? 2 : 5)

/** Stages on which scenarios are played side by side; one where the database takes one at a time. */
export const openLanes = (
  { size, folder }: ProofContext,
  options: Omit<StageOptions, 'engine' | 'folder'> = {},
): Promise<readonly Stage[]> => {
  const engine = chosenEngine()
  return Promise.all(
    Array.from({ length: engine.concurrent ? lanesOf(size) : 1 }, (_, lane) =>
      openStage({ engine, folder: join(folder, `lane${lane}`), ...options }),
    ),
  )
}

/** Each lane takes the next one of the list. A lane whose run never ended is not used again. */
export const share = async <T>(
  lanes: readonly Stage[],
  list: readonly T[],
  signal: AbortSignal,
  run: (stage: Stage, one: T) => Promise<boolean>,
): Promise<void> => {
  let next = 0
  await Promise.all(
    lanes.map(async (stage) => {
      for (let one = list[next++]; one !== undefined && !signal.aborted; one = list[next++]) if (!(await run(stage, one))) return
    }),
  )
}
