/** What a page of another origin may send and read, for origins that the app lists. */
interface Origins {
  isListed(origin: string | null): boolean
  readonly any: boolean
  preflight(request: Request, methods: readonly string[]): Response
  /** Lets the page read the answer. `withCredentials`: also when the browser sent cookies. */
  open(request: Request, response: Response, withCredentials: boolean): Response
}

const preflightSeconds = 600
const readableHeaders = 'accept-ranges, content-disposition, content-length, content-range, etag'
const sendableHeaders = 'content-type, range, if-range, if-none-match'

export const createOrigins = (listed: readonly string[]): Origins => {
  const isListed = (origin: string | null): boolean => origin !== null && listed.includes(origin)
  return {
    isListed,
    any: listed.length > 0,
    preflight(request, methods) {
      const headers = new Headers({ allow: [...methods, 'OPTIONS'].join(', '), vary: 'origin', 'cache-control': 'no-store' })
      const origin = request.headers.get('origin')
      if (origin !== null && isListed(origin)) {
        headers.set('access-control-allow-origin', origin)
        headers.set('access-control-allow-methods', methods.join(', '))
        headers.set('access-control-allow-headers', sendableHeaders)
        headers.set('access-control-allow-credentials', 'true')
        headers.set('access-control-max-age', String(preflightSeconds))
      }
      return new Response(null, { status: 204, headers })
    },
    open(request, response, withCredentials) {
      if (listed.length === 0 || response.headers.get('access-control-allow-origin') === '*') return response
      response.headers.append('vary', 'origin')
      const origin = request.headers.get('origin')
      if (origin === null || !isListed(origin)) return response
      response.headers.set('access-control-allow-origin', origin)
      response.headers.set('access-control-expose-headers', readableHeaders)
      if (withCredentials) response.headers.set('access-control-allow-credentials', 'true')
      return response
    },
  }
}

/** What is wrong with the origins, each a scheme and a host as browsers send them. */
export const problemsOfOrigins = (origins: unknown): string[] => {
  if (origins === undefined) return []
  if (!Array.isArray(origins)) return ['origins must be a list']
  return origins.flatMap((origin: unknown) => {
    if (origin === '*') return ["origins: '*' would let every page act for whoever is signed in; list the origins of your own pages"]
    const isOrigin = typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin
    return isOrigin ? [] : [`origins: ${String(origin)} is no origin; write it as https://app.example.com`]
  })
}
