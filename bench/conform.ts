import { join } from 'node:path'
import { video } from '../src/index.ts'
import { makeFilm, openStudio } from './film/studio.ts'
import type { Bench, BenchContext, BenchSides } from './harness.ts'

const noise = 8

/** A film that is for players already is not encoded a second time. */
export const conform: Bench = {
  name: 'conform',
  means: '30 s of 720p that conform to web_720p, copied into a new file, against the transcode of 30 s of the same that do not',
  rounds: 5,
  comparisons: [{ metric: 'cpuMs', reference: 'transcode', goal: '<=0.1' }],
  prepare,
}

async function prepare({ folder }: BenchContext): Promise<BenchSides> {
  const [fine, large] = [join(folder, 'fine.mp4'), join(folder, 'large.mp4')]
  await makeFilm(fine, '1280x720', '2M', noise)
  await makeFilm(large, '1280x720', '6M', noise)
  const studio = await openStudio(folder, { web: video() })
  const rest = async (source: string) => (await studio.build(source)).rest
  return { sides: { ours: () => rest(fine), transcode: () => rest(large) }, close: studio.close }
}
