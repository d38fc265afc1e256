import type { S3Settings } from './options.ts'

/** A bucket as the world reaches it. Paths of objects follow `path`. */
export interface BucketAddress {
  /** `https://host` */
  readonly origin: string
  readonly host: string
  /** Empty, or beginning with a slash; without one at its end. */
  readonly path: string
}

/** The bucket for a browser: in the host's name, or first in the path. */
export const publicAddressOf = (settings: S3Settings): BucketAddress => {
  const { bucket, region, pathStyle } = settings
  const url = settings.publicEndpoint ?? settings.endpoint ?? new URL(`https://s3.${region}.${domainOf(region)}`)
  const path = url.pathname.replace(/\/+$/, '')
  if (pathStyle) return { origin: url.origin, host: url.host, path: `${path}/${bucket}` }
  const host = `${bucket}.${url.host}`
  return { origin: `${url.protocol}//${host}`, host, path }
}

/** Where anybody reads objects, without a slash at its end. */
export const publicBaseOf = (settings: S3Settings): string => {
  const { publicBaseUrl } = settings
  if (publicBaseUrl) return `${publicBaseUrl.origin}${publicBaseUrl.pathname.replace(/\/+$/, '')}`
  const { origin, path } = publicAddressOf(settings)
  return `${origin}${path}`
}

/** AWS keeps its Chinese and its European sovereign regions below domains of their own. */
const domainOf = (region: string): string =>
  region.startsWith('cn-') ? 'amazonaws.com.cn' : region.startsWith('eusc-') ? 'amazonaws.eu' : 'amazonaws.com'

const unreserved = /^[A-Za-z0-9_.~-]*$/
const unreservedPath = /^[A-Za-z0-9_.~/-]*$/
const escaped = (letter: string): string => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`

/** Everything but RFC 3986's unreserved characters as %XX, as signatures want it. */
export const encodeText = (text: string): string => (unreserved.test(text) ? text : encodeURIComponent(text).replace(/[!'()*]/g, escaped))

/** The same with slashes left alone: keys in paths, and in the name of a copy's source. */
export const encodeKey = (key: string): string => (unreservedPath.test(key) ? key : key.split('/').map(encodeText).join('/'))
