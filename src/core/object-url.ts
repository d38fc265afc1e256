import { RindleError } from './errors.ts'
import { objectPath, trackPath } from './object-path.ts'

/** The address that a ticket is spent at. */
export const objectUrl = (baseUrl: string, ticket: string): string => baseUrl + objectPath.replace(':ticket', ticket)

/** The address of a track of thumbnails. */
export const trackUrl = (baseUrl: string, ticket: string): string => baseUrl + trackPath.replace(':ticket', ticket)

/** Where the http door is mounted. @throws RindleError `options_invalid` when the app did not say */
export const mountOf = ({ baseUrl }: { readonly baseUrl: string | null }): string => {
  if (baseUrl === null) throw new RindleError('options_invalid', { problems: [missingBaseUrl] })
  return baseUrl
}

const missingBaseUrl =
  "baseUrl is missing, and tickets for this store are served by the http door: createRindle({ baseUrl: 'https://…' }) says where it is mounted"
