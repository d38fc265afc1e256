import type { Logger } from '../../src/core/ports/logger.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { ProofContext } from '../harness.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { storyOf } from './story.ts'

/** Counts a breach, and tells the story of what it is about. Each of them once. */
export const breachIn = (proof: ProofContext, database: EngineDatabase, where: string) => {
  const told = new Set<string>()
  const stories: Promise<void>[] = []
  return {
    say(text: string, about?: string): void {
      if (told.has(text)) return
      told.add(text)
      const story = told.size <= 5 ? storyOf(database, about ?? text) : Promise.resolve('')
      stories.push(story.then((lines) => proof.breach(`in ${where}: ${text}\n${lines}`)))
    },
    told: () => Promise.all(stories),
  }
}

/** Workers that are killed are replaced after a while, by new processes. */
export const startCrew = async (
  { workers, filesAtOnce }: { readonly workers: number; readonly filesAtOnce: number },
  start: (name: string) => Promise<SimulatedProcess>,
) => {
  const count = { killed: 0, slept: 0, sleptOverFilms: 0 }
  let isOver = false
  let number = 0
  const post = async (): Promise<void> => {
    while (!isOver) {
      const process = await start(`worker ${number++}`)
      process.work(filesAtOnce)
      members.add(process)
      await process.ended
      members.delete(process)
      count.slept += process.state.slept
      count.sleptOverFilms += process.state.sleptOverFilms
      if (isOver) return
      count.killed += 1
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const members = new Set<SimulatedProcess>()
  const posts = Array.from({ length: workers }, post)
  return {
    async dismiss() {
      isOver = true
      while (members.size > 0) await Promise.all([...members].map((process) => process.kill()))
      await Promise.all(posts)
      return count
    },
  }
}

/** Nothing that is logged as an error may come of a storm. */
export const loggerOf = (breach: (text: string) => void): Logger => ({
  debug() {},
  info() {},
  warn() {},
  error(fields, message) {
    const { err } = fields as { err?: unknown }
    breach(`logged as an error: ${message} ${JSON.stringify(fields)} ${err instanceof Error ? `${err.stack} ${String(err.cause)}` : ''}`)
  },
})
