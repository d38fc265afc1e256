import type { PGlite } from '@electric-sql/pglite'
import { type Context, Hono } from 'hono'
import { isRindleError } from 'rindle'
import { addLesson, findLesson, type LessonRow, listLessons, removeLesson } from './lessons.ts'
import type { Media } from './media.ts'
import { refusal } from './refusal.ts'

/** What a page asks about lessons: everybody sees them, and whoever added one decides what becomes of it. */
export const lessonRoutes = (rindle: Media, database: PGlite, memberOf: (c: Context) => string): Hono => {
  const routes = new Hono()
  routes.get('/', async (c) => c.json({ lessons: await listLessons(rindle, database) }, 200, { 'cache-control': 'no-store' }))

  routes.post('/', async (c) => {
    const memberId = memberOf(c)
    const body = await c.req.json<{ title?: unknown; assetId?: unknown } | null>().catch(() => null)
    const title = typeof body?.title === 'string' ? body.title.trim().slice(0, 120) : ''
    if (title === '') return c.json(refusal('A lesson needs a title.'), 422)
    const assetId = String(body?.assetId)
    const asset = await rindle.asset(assetId)
    if (asset?.owner?.id !== memberId) return c.json(refusal('This is not a file of yours.'), 403)
    return c.json({ id: await addLesson(rindle, database, { title, memberId, assetId }) }, 201)
  })

  const own = (act: (lesson: LessonRow) => Promise<unknown>) => async (c: Context) => {
    const lesson = await findLesson(database, c.req.param('id') ?? '')
    if (lesson === null) return c.json(refusal('This lesson is not there any more.'), 404)
    if (lesson.memberId !== memberOf(c)) return c.json(refusal('Only your own lessons can be changed.'), 403)
    await act(lesson)
    return c.body(null, 204)
  }
  routes.post(
    '/:id/stop',
    own(async ({ assetId, memberId }) => {
      await rindle.cancelProcessing(assetId, { actor: memberId, reason: 'stopped on the page' }).catch(unlessDone)
    }),
  )
  routes.post(
    '/:id/make',
    own(({ assetId, memberId }) => rindle.requeueVariants(assetId, { actor: memberId, reason: 'asked for on the page' })),
  )
  routes.delete(
    '/:id',
    own(({ id }) => removeLesson(rindle, database, id)),
  )
  return routes
}

/** Whoever stops what was finished a moment ago has what they see: the page looks again. */
const unlessDone = (err: unknown): void => {
  if (!isRindleError(err) || err.code !== 'not_processing') throw err
}
