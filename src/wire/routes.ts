import { objectPath, trackPath } from '../core/object-path.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'

/** What `authorize` is asked about. */
export type Action =
  'upload.create' | 'upload.sign' | 'upload.verify' | 'upload.complete' | 'upload.cancel' | 'asset.read' | 'asset.deliver'

export interface Route {
  readonly method: Method
  /** Below the place where the handler is mounted. */
  readonly path: string
  /** `ticket`: the address itself is the permission, so nobody is asked. */
  readonly action: Action | 'ticket'
  readonly means: string
}

/** Every route of the http door: server, clients and reference read this table. */
export const routes = {
  createUpload: { method: 'POST', path: '/uploads', action: 'upload.create', means: 'Declare a file and open an upload session.' },
  signUpload: { method: 'POST', path: '/uploads/:id/sign', action: 'upload.sign', means: 'Get the ticket to send the bytes with.' },
  signPart: {
    method: 'POST',
    path: '/uploads/:id/parts/:n/sign',
    action: 'upload.sign',
    means: 'Get the ticket for one part of a multipart upload, counted from 1.',
  },
  completeUpload: {
    method: 'POST',
    path: '/uploads/:id/complete',
    action: 'upload.complete',
    means: 'Have the parts that were sent put together.',
  },
  verifyUpload: { method: 'POST', path: '/uploads/:id/verify', action: 'upload.verify', means: 'Say that the bytes are sent.' },
  cancelUpload: { method: 'DELETE', path: '/uploads/:id', action: 'upload.cancel', means: 'Give an open upload up.' },
  readAsset: { method: 'GET', path: '/assets/:id', action: 'asset.read', means: 'See how far an asset is, and its URLs.' },
  putObject: { method: 'PUT', path: objectPath, action: 'ticket', means: 'Send bytes to a hosted store.' },
  getObject: { method: 'GET', path: objectPath, action: 'ticket', means: 'Read bytes from a hosted store, whole or one range.' },
  headObject: { method: 'HEAD', path: objectPath, action: 'ticket', means: 'Ask about bytes in a hosted store.' },
  getTrack: { method: 'GET', path: trackPath, action: 'ticket', means: 'Read the thumbnails of a film as WebVTT.' },
} as const satisfies Record<string, Route>

export type RouteName = keyof typeof routes
