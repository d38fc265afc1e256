export { createHandler, type Handler, type HandlerOptions, type Question } from './create-handler.ts'
export type { Subject } from './table.ts'
export type { Action } from '../../wire/routes.ts'
export type {
  AssetAnswer,
  CompleteRequest,
  CreatedUploadAnswer,
  ErrorAnswer,
  PresignedAnswer,
  SessionAnswer,
  SignedUploadAnswer,
  UploadRequest,
  VariantAnswer,
  VerifiedUploadAnswer,
} from '../../wire/shapes.ts'
