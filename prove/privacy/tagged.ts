import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeByHand } from './handmade.ts'
import type { Tagged } from './tagged-file.ts'
import type { Source } from './sources.ts'
import { movieRemuxTaggings, remuxTaggings, type Tagging, taggingsOf } from './taggings.ts'
import { exiftool, ffmpeg } from './tools.ts'

interface Planned {
  readonly source: Source
  readonly tagging: Tagging
  readonly tool: 'exiftool' | 'ffmpeg'
}

const planFor = (sources: readonly Source[]): Planned[] => [
  ...sources.flatMap((source) => taggingsOf(source).map((tagging) => ({ source, tagging, tool: 'exiftool' as const }))),
  ...sources
    .filter(({ type }) => !type.startsWith('image/'))
    .flatMap((source) =>
      (/mp4|quicktime/.test(source.type) ? movieRemuxTaggings : remuxTaggings).map((tagging) => ({
        source,
        tagging,
        tool: 'ffmpeg' as const,
      })),
    ),
]

const pathOf = (folder: string, { source, tagging, tool }: Planned): string =>
  join(folder, `${source.name}-${tool}-${tagging.name}.${source.extension}`)

/** Sources with the taggings that their types can have, as many as `choose` leaves; those made by hand come on top of them. */
export const makeTagged = async (
  folder: string,
  sources: readonly Source[],
  choose: <T>(all: readonly T[]) => readonly T[],
): Promise<Tagged[]> => {
  const plan = planFor(sources)
  const everything = plan.find(({ source, tagging }) => source.name === 'jpeg' && tagging.name === 'everything')
  if (!everything) throw new TypeError('no JPEG with places in all forms')
  const chosen = choose(plan.filter((one) => one !== everything))
  const byExiftool = [everything, ...chosen.filter(({ tool }) => tool === 'exiftool')]
  for (const one of byExiftool) await copyFile(one.source.path, pathOf(folder, one))
  await exiftool(
    folder,
    byExiftool.map((one) => ['-q', '-overwrite_original', ...one.tagging.args, pathOf(folder, one)]),
  )
  for (const one of chosen.filter(({ tool }) => tool === 'ffmpeg'))
    await ffmpeg(['-i', `file:${one.source.path}`, '-map', '0', '-c', 'copy', ...one.tagging.args, `file:${pathOf(folder, one)}`])
  const byHand = await makeByHand(folder, sources, pathOf(folder, everything))
  return [
    ...[everything, ...chosen].map((one) => ({ source: one.source, tagging: one.tagging.name, path: pathOf(folder, one) })),
    ...byHand,
  ]
}
