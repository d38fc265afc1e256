import { type AnyRindle, contextOf, openedContextOf, type RindleContext } from '../../context.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { unknownKeys } from '../../core/suggestion.ts'
import type { Action } from '../../wire/routes.ts'
import { errorResponse } from './answers.ts'
import { createOrigins, problemsOfOrigins } from './origins.ts'
import { createRouter, type Match, pathBelow } from './router.ts'
import { type HttpRoute, httpRoutes, type Subject, type Visit } from './table.ts'

export interface Question<Actor> {
  readonly actor: Actor
  readonly action: Action
  readonly subject: Subject
}

export interface HandlerOptions<Actor = unknown> {
  /** Who sends this request; null for nobody. An actor that is `{ type, id }` opens uploads as that owner. */
  readonly identify: (request: Request) => Promise<Actor> | Actor
  /** Whether that one may do this. Only true is a yes. Asked in every route whose address is not itself the permission. */
  readonly authorize: (question: Question<Actor>) => Promise<boolean> | boolean
  /** Origins whose pages may call this door from a browser, beside its own: `https://app.example.com`. */
  readonly origins?: readonly string[]
  /** Where it is mounted. Default: the path of `baseUrl`. */
  readonly basePath?: string
}

export type Handler = (request: Request) => Promise<Response>

/**
 * The http door as a fetch-style function, for any framework. Never throws: whatever goes wrong is an answer,
 * `{ error: { code, message, details, retryable } }`.
 *
 * @throws RindleError `handler_options_invalid`, `options_invalid` when it is made.
 */
export const createHandler = <Actor>(rindle: AnyRindle, options: HandlerOptions<Actor>): Handler => {
  const { identify, authorize } = checked(options)
  const ctx = contextOf(rindle)
  const origins = createOrigins(options.origins ?? [])
  const basePath = (options.basePath ?? (ctx.baseUrl === null ? '' : new URL(ctx.baseUrl).pathname)).replace(/\/+$/, '')
  const router = createRouter(httpRoutes)

  const visitOf = async (request: Request, { route, params }: Match<HttpRoute>): Promise<Visit> => {
    const common = { ctx, request, params, crossOrigin: origins.any }
    if (route.action === 'ticket') return { ...common, actor: null, ...nobody }
    const actor = await identify(request)
    const mayI = async (action: Action, subject: Subject): Promise<boolean> => (await authorize({ actor, action, subject })) === true
    const demand = async (action: Action, subject: Subject): Promise<void> => {
      if (!(await mayI(action, subject))) throw new RindleError('not_authorized', { action })
    }
    return { ...common, actor, mayI, demand }
  }

  return async (request) => {
    const path = pathBelow(request.url, basePath)
    if (request.method === 'OPTIONS') return origins.preflight(request, router.methodsOf(path))
    let isTicketed = true
    const answer = async (): Promise<Response> => {
      const match = router.match(request.method, path)
      isTicketed = match.route.action === 'ticket'
      await openedContextOf(rindle)
      return match.route.answer(await visitOf(request, match))
    }
    const response = await answer().catch((err: unknown) => refused(ctx, request, err))
    return origins.open(request, response, !isTicketed)
  }
}

/** Behind a ticket nobody is asked, and so nobody may ask. */
const nobody: Pick<Visit, 'demand' | 'mayI'> = {
  mayI: async () => false,
  async demand(action) {
    throw new RindleError('not_authorized', { action })
  },
}

const refused = async (ctx: RindleContext, request: Request, err: unknown): Promise<Response> => {
  await discard(request)
  if (request.signal.aborted) return new Response(null, { status: 499 })
  if (!isRindleError(err) || err.status >= 500)
    ctx.logger.error({ event: 'request_failed', err, method: request.method }, 'a request failed')
  return errorResponse(err)
}

/** Whoever is refused before its body was read should not go on sending it. */
const discard = async (request: Request): Promise<void> => {
  if (request.body && !request.body.locked) await request.body.cancel().catch(() => undefined)
}

const checked = <Actor>(options: HandlerOptions<Actor>): HandlerOptions<Actor> => {
  const given: Partial<HandlerOptions<Actor>> = options ?? {}
  const missing = (['identify', 'authorize'] as const).filter((name) => typeof given[name] !== 'function')
  if (missing.length > 0) throw new RindleError('handler_options_invalid', { missing })
  const problems = [...unknownKeys(given, ['identify', 'authorize', 'origins', 'basePath'], ''), ...problemsOfOrigins(given.origins)]
  if (given.basePath !== undefined && !/^(\/[^/?#]+)*\/?$/.test(given.basePath)) problems.push("basePath must be a path like '/media'")
  if (problems.length > 0) throw new RindleError('options_invalid', { problems })
  return options
}
