import { join } from 'node:path'
import { chosenEngine } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import { openTestbed, type Testbed, type TestbedOptions } from './testbed.ts'

/** They wait for the database most of the time; in `ci` it takes longer to open more of them than they save. */
const countOf = (size: ProofContext['size']): number => (size === 'ci' ? 2 : 5)

/** Testbeds on which scenarios are played side by side; one where the database takes one at a time. */
export const openTestbeds = (
  { size, folder }: ProofContext,
  options: Omit<TestbedOptions, 'engine' | 'folder'> = {},
): Promise<readonly Testbed[]> => {
  const engine = chosenEngine()
  return Promise.all(
    Array.from({ length: engine.concurrent ? countOf(size) : 1 }, (_, number) =>
      openTestbed({ engine, folder: join(folder, `testbed${number}`), ...options }),
    ),
  )
}

/** Each testbed takes the next one of the list. One whose run never ended is not used again. */
export const share = async <T>(
  testbeds: readonly Testbed[],
  list: readonly T[],
  signal: AbortSignal,
  run: (testbed: Testbed, one: T) => Promise<boolean>,
): Promise<void> => {
  let next = 0
  await Promise.all(
    testbeds.map(async (testbed) => {
      for (let one = list[next++]; one !== undefined && !signal.aborted; one = list[next++]) if (!(await run(testbed, one))) return
    }),
  )
}
