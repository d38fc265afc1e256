import { canonicalType, inertTypes } from '../../../core/content-type.ts'

/**
 * What a bucket keeps beside the bytes that we write to it. Types that run something when they are opened arrive as attachments, also by an
 * address whose signature, and with it the disposition, somebody has cut off in a bucket that anybody may read.
 */
export const describedAs = (contentType: string | undefined): { ContentType?: string; ContentDisposition?: string } => ({
  ...(contentType === undefined ? {} : { ContentType: contentType }),
  ...(contentType !== undefined && inertTypes.has(canonicalType(contentType)) ? {} : { ContentDisposition: 'attachment' }),
})
