/** An etag as it is kept and compared: quotes, and the mark of a weak one, come and go between calls, servers and proxies. */
export const bareEtag = (etag: string | undefined): string =>
  (etag ?? '')
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/s, '$1')
