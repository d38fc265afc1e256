import type { PGlite } from '@electric-sql/pglite'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRindleError, type StorageAdapter } from 'rindle'
import { createHandler } from 'rindle/http'
import { local } from 'rindle/storage/local'
import { lessonRoutes } from './lesson-routes.ts'
import { prepareLessons } from './lessons.ts'
import { createMedia, type Media } from './media.ts'
import { listMembers, prepareMembers } from './members.ts'
import { refusal } from './refusal.ts'

export interface Cohort {
  readonly url: string
  readonly rindle: Media
  stop(): Promise<void>
}

export interface CohortOptions {
  /** For the database, and for the files where no other storage is named. */
  readonly folder: string
  /** 0: any that is free. */
  readonly port: number
  /** Told where the pages are, since a bucket must let them send to it. */
  readonly storageFor?: (url: string) => Promise<StorageAdapter>
}

/** Starts the whole of Cohort in this process: its database, its worker, its pages. Expects the page to be built into `.data/web`. */
export async function startCohort({ folder, port, storageFor }: CohortOptions): Promise<Cohort> {
  await mkdir(folder, { recursive: true })
  let answer: (request: Request) => Response | Promise<Response> = starting
  const server = serve({ fetch: (request) => answer(request), hostname: '127.0.0.1', port })
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const storage = storageFor ? await storageFor(url) : local({ directory: join(folder, 'objects') })
  const { rindle, database } = createMedia({ folder, storage, baseUrl: `${url}/media`, secret: await secretIn(folder) })
  await rindle.migrate()
  await prepareMembers(database)
  await prepareLessons(database)
  const worker = rindle.work()
  answer = appOver(rindle, database, storage).fetch
  return {
    url,
    rindle,
    async stop() {
      await new Promise((resolve) => server.close(resolve))
      await worker.stop()
      await rindle.close()
    },
  }
}

/** The port is known before the database is open, and somebody may knock in between. */
const starting = () => new Response('Cohort is starting. Try again in a moment.', { status: 503, headers: { 'retry-after': '1' } })

/** Nobody signs in here: everybody who opens the page is Ada, unless the cookie names another member. */
const memberOf = (request: Request): string => /(?:^|;\s*)member=([a-z]+)/.exec(request.headers.get('cookie') ?? '')?.[1] ?? 'ada'

/** Larger files come in parts, where the storage takes parts: what breaks off then costs a part and not the file. */
const partsFromBytes = 8 * 2 ** 20

const appOver = (rindle: Media, database: PGlite, storage: StorageAdapter): Hono => {
  const app = new Hono()
  const uploads = { partsFromBytes: storage.capabilities.has('multipart_upload') ? partsFromBytes : null }
  const ownerOf = (id: string) => ({ type: 'Member', id })
  const handler = createHandler(rindle, {
    identify: (request) => ownerOf(memberOf(request)),
    authorize: ({ actor, action, subject }) =>
      action === 'asset.deliver' ||
      action === 'upload.create' ||
      (action === 'asset.read' && 'asset' in subject && subject.asset.profile === 'lesson') ||
      ('session' in subject && subject.session.owner?.id === actor?.id) ||
      ('asset' in subject && subject.asset.owner?.id === actor?.id),
  })

  app.all('/media/*', (c) => handler(c.req.raw))
  app.use('/api/*', bodyLimit({ maxSize: 10_000, onError: (c) => c.json(refusal('This is too much to read.'), 413) }))
  app.get('/api/members', async (c) => {
    const members = await listMembers(database)
    const attachments = await rindle.attachmentsFor(
      members.map(({ id }) => ownerOf(id)),
      'avatar',
    )
    const roster = members.map(async (member, i) => {
      const attachment = attachments[i]?.[0] ?? null
      const alt = `${member.name}`
      return {
        ...member,
        picture: await rindle.pictureTag(attachment, { variants: ['thumb'], alt }),
        portrait: await rindle.pictureTag(attachment, { variants: ['portrait'], sizes: '176px', alt }),
        assetId: attachment?.asset.id ?? null,
      }
    })
    return c.json({ me: memberOf(c.req.raw), uploads, members: await Promise.all(roster) }, 200, { 'cache-control': 'no-store' })
  })
  app.put('/api/members/:id/avatar', async (c) => {
    const id = memberOf(c.req.raw)
    if (c.req.param('id') !== id) return c.json(refusal('Only your own picture can be changed.'), 403)
    const body = await c.req.json<{ assetId?: unknown } | null>().catch(() => null)
    const assetId = String(body?.assetId)
    const asset = await rindle.asset(assetId)
    if (asset?.owner?.id !== id) return c.json(refusal('This is not a file of yours.'), 403)
    await database.transaction(async (tx) => {
      await rindle.attach(assetId, ownerOf(id), 'avatar', { tx })
      await tx.query('update members set picture_changed_at = now() where id = $1', [id])
    })
    return c.body(null, 204)
  })
  app.delete('/api/members/:id/avatar', async (c) => {
    const id = memberOf(c.req.raw)
    if (c.req.param('id') !== id) return c.json(refusal('Only your own picture can be changed.'), 403)
    await rindle.detach(ownerOf(id), 'avatar')
    return c.body(null, 204)
  })
  app.route(
    '/api/lessons',
    lessonRoutes(rindle, database, (c) => memberOf(c.req.raw)),
  )
  app.get('/lessons', serveStatic({ root: webFolder, path: 'index.html' }))
  app.use('/*', serveStatic({ root: webFolder }))
  app.onError((err, c) =>
    isRindleError(err)
      ? c.json({ error: err.toJSON() }, 422)
      : c.json(refusal('Something failed on our side. Try again in a moment.'), 500),
  )
  return app
}

const webFolder = fileURLToPath(new URL('.data/web', import.meta.url))

/** One secret for each folder, so that addresses handed out before a restart stay good after it. */
async function secretIn(folder: string): Promise<string> {
  const path = join(folder, 'secret')
  try {
    return await readFile(path, 'utf8')
  } catch {
    const secret = randomBytes(32).toString('hex')
    await writeFile(path, secret, { mode: 0o600 })
    return secret
  }
}
