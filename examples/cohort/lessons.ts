import type { PGlite } from '@electric-sql/pglite'
import { randomUUID } from 'node:crypto'
import { isRindleError } from 'rindle'
import type { Media } from './media.ts'

export interface LessonRow {
  readonly id: string
  readonly title: string
  readonly memberId: string
  readonly memberName: string
  readonly assetId: string
}

/** What the recording of a lesson is up to, in the words of the page. */
export type Standing = 'checking' | 'making' | 'stopped' | 'failed' | 'refused' | 'gone' | 'ready'

/** Films take longer to watch than most pages are open. */
const expiresInSeconds = 4 * 3_600

export const lessonOwner = (id: string) => ({ type: 'Lesson', id })

/** Cohort's own table, in the same database as the media. */
export async function prepareLessons(database: PGlite): Promise<void> {
  await database.exec(`
    create table if not exists lessons (
      id uuid primary key,
      title text not null,
      member_id text not null references members,
      asset_id text not null,
      added_at timestamptz not null default now()
    )`)
}

/** The lesson and its recording stand or fall together. One that the gate has refused by now is a lesson all the same, which says why. */
export async function addLesson(rindle: Media, database: PGlite, lesson: NewLesson): Promise<string> {
  const id = randomUUID()
  const attached = database.transaction(async (tx) => {
    await insertLesson(tx, id, lesson)
    await rindle.attach(lesson.assetId, lessonOwner(id), 'recording', { tx })
  })
  await attached.catch(async (err: unknown) => {
    if (!isRindleError(err) || err.code !== 'asset_not_attachable') throw err
    await insertLesson(database, id, lesson)
  })
  return id
}

type NewLesson = Pick<LessonRow, 'title' | 'memberId' | 'assetId'>

const insertLesson = (database: Pick<PGlite, 'query'>, id: string, { title, memberId, assetId }: NewLesson) =>
  database.query('insert into lessons (id, title, member_id, asset_id) values ($1, $2, $3, $4)', [id, title, memberId, assetId])

/** With the row goes what it held: the recording is taken away once nothing else holds it. */
export async function removeLesson(rindle: Media, database: PGlite, id: string): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('delete from lessons where id = $1', [id])
    await rindle.detach(lessonOwner(id), 'recording', { tx })
  })
}

const columns = `
  select lessons.id, title, member_id as "memberId", members.name as "memberName", asset_id as "assetId"
    from lessons join members on members.id = member_id`

export const findLesson = async (database: PGlite, id: string): Promise<LessonRow | null> =>
  (await database.query<LessonRow>(`${columns} where lessons.id::text = $1`, [id])).rows[0] ?? null

/** Newest first, each as a page shows it: HTML of the players, and how far the recording is. */
export async function listLessons(rindle: Media, database: PGlite) {
  const { rows } = await database.query<LessonRow>(`${columns} order by added_at desc, lessons.id limit 50`)
  const recordings = await recordingsOf(rindle, rows)
  return Promise.all(rows.map((row, i) => shown(rindle, row, recordings[i]?.[0] ?? null)))
}

const recordingsOf = (rindle: Media, rows: readonly LessonRow[]) =>
  rindle.attachmentsFor(
    rows.map(({ id }) => lessonOwner(id)),
    'recording',
  )

type Recording = Awaited<ReturnType<typeof recordingsOf>>[number][number]

async function shown(rindle: Media, row: LessonRow, recording: Recording | null) {
  const variants = recording ? Object.values(recording.variants) : []
  const asset = recording?.asset ?? (await rindle.asset(row.assetId))
  const standing = standingOf(asset?.state ?? null, variants)
  const [film, sound] = recording
    ? await Promise.all([
        rindle.videoTag(recording, { expiresInSeconds, original: false, attributes: { 'aria-label': row.title } }),
        rindle.audioTag(recording, { expiresInSeconds, original: false, attributes: { 'aria-label': row.title } }),
      ])
    : ['', '']
  return {
    ...row,
    standing,
    kind: asset?.kind ?? null,
    durationMs: asset?.durationMs ?? null,
    film,
    sound,
    /** Changes whenever there is something new to play. */
    ready: variants.flatMap(({ name, state }) => (state === 'ready' ? [name] : [])).join(' '),
    problem: problemOf(standing, asset?.error?.message ?? null, variants),
  }
}

type Made = readonly { readonly state: string; readonly error: { readonly message: string } | null }[]

const standingOf = (state: string | null, variants: Made): Standing => {
  switch (state) {
    case null:
    case 'deleted':
      return 'gone'
    case 'quarantined':
      return 'refused'
    case 'processing':
    case 'transcoding':
      return 'making'
    case 'degraded':
      return variants.some((one) => one.state === 'cancelled') ? 'stopped' : 'failed'
    case 'available':
    case 'ready':
      return 'ready'
    default:
      return 'checking'
  }
}

const problemOf = (standing: Standing, ofFile: string | null, variants: Made): string | null => {
  if (standing === 'refused') return ofFile ?? 'This file was refused.'
  if (standing === 'failed') return variants.find(({ error }) => error)?.error?.message ?? ofFile ?? 'Something could not be made of it.'
  return standing === 'gone' ? 'Its recording was taken away.' : null
}
