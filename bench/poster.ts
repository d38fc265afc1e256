import { join } from 'node:path'
import { poster, video } from '../src/index.ts'
import { makeFilm, openStudio } from './film/studio.ts'
import type { Bench, BenchContext, BenchSides } from './harness.ts'

const noise = 8

/** What a visitor of the page waits for: the poster is stored long before the film. */
export const posterFirst: Bench = {
  name: 'poster',
  means: 'the poster of 30 s of 1080p, from the claim of its job to the stored row, against the transcode to 720p that follows it',
  rounds: 5,
  comparisons: [{ metric: 'ms', reference: 'transcode', goal: '<=0.06' }],
  prepare,
}

async function prepare({ folder }: BenchContext): Promise<BenchSides> {
  const source = join(folder, 'lesson.mp4')
  await makeFilm(source, '1920x1080', '8M', noise)
  const studio = await openStudio(folder, { web: video(), poster: poster() })
  return {
    sides: {
      ours: async () => ({ ms: (await studio.build(source)).poster.ms }),
      transcode: async () => ({ ms: (await studio.build(source)).rest.ms }),
    },
    close: studio.close,
  }
}
