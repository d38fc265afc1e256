export {
  audio,
  type AudioOptions,
  type AudioPreset,
  poster,
  type PosterOptions,
  preview,
  type PreviewOptions,
  strip,
  type StripOptions,
  video,
  type VideoOptions,
  type VideoPreset,
  waveform,
  type WaveformOptions,
} from './core/av-recipes.ts'
export type { Asset, AssetKind, AssetState, Owner, Problem } from './core/asset.ts'
export type { Attachment, Previous, Variants } from './core/attachment.ts'
export type { Diagnosis, Finding, Level } from './core/diagnosis.ts'
export { type AnyRindleError, type ErrorCode, type ErrorDetails, isRindleError, RindleError } from './core/errors.ts'
export type { EventName, RindleEvent } from './core/events.ts'
export { image, type ImageOptions } from './core/image-recipe.ts'
export type { PartPlan, SentPart } from './core/multipart.ts'
export type { OwnerRef } from './core/owner.ts'
export type { MetadataPolicy } from './core/metadata-policy.ts'
export type { Analyzer } from './core/ports/analyzer.ts'
export type { Authorizer } from './core/ports/authorizer.ts'
export type { FileUnderGate } from './core/ports/file-under-gate.ts'
export type { Logger } from './core/ports/logger.ts'
export type { Processor } from './core/ports/processor.ts'
export type { Scanner, ScanResult } from './core/ports/scanner.ts'
export type { SignedRequest, StorageAdapter, StorageCapability } from './core/ports/storage.ts'
export { type ScrubbedWebVariants, web, type WebVariants } from './core/presets.ts'
export type { Profile } from './core/profile.ts'
export { defineProfile } from './core/profile-definition.ts'
export type { ProfileOptions } from './core/profile-options.ts'
export type {
  AudioFormat,
  AudioRecipe,
  ImageFormat,
  ImageMode,
  ImageRecipe,
  Loudness,
  PosterRecipe,
  PreviewRecipe,
  Recipe,
  StripRecipe,
  VideoRecipe,
  WaveformRecipe,
} from './core/recipe.ts'
export type { SignedUpload, UploadSession, UploadSessionState, VerifiedUpload } from './core/upload-session.ts'
export type { StripGrid } from './core/variant-facts.ts'
export type { Variant, VariantState } from './core/variant.ts'
export type { GivenDatabase } from './database/open.ts'
export type { MigrationReport } from './database/migrate.ts'
export type { AudioTagOptions } from './doors/html/audio-tag.ts'
export type { PictureTagOptions } from './doors/html/picture-tag.ts'
export type { VideoTagOptions } from './doors/html/video-tag.ts'
export type { Worker, WorkerHealth, WorkerOptions } from './doors/worker/worker.ts'
export type { AssetPage, AssetsOptions } from './flows/assets/assets.ts'
export type { AttachOptions } from './flows/assets/attach.ts'
export type { DetachOptions } from './flows/assets/detach.ts'
export type { PurgeOptions } from './flows/assets/purge.ts'
export type { ReleaseQuarantineOptions } from './flows/assets/release-quarantine.ts'
export type { SettledOptions } from './flows/assets/settled.ts'
export type { StripTrackOptions } from './flows/steps/mint-track-url.ts'
export type { UrlOptions } from './flows/steps/mint-url.ts'
export type { UploadSource } from './files/open-source.ts'
export type { DownloadOptions } from './flows/unmanaged/download.ts'
export type { PresignedPutOptions } from './flows/unmanaged/presigned-put.ts'
export type { StoreOptions } from './flows/unmanaged/store.ts'
export type { InitiateMultipartUploadOptions, MultipartUpload } from './flows/uploads/initiate-multipart-upload.ts'
export type { InitiateUploadOptions } from './flows/uploads/initiate-upload.ts'
export type { UploadOptions } from './flows/uploads/upload.ts'
export type { CancelProcessingOptions } from './flows/variants/cancel-processing.ts'
export type { RequeueVariantsOptions } from './flows/variants/requeue-variants.ts'
export type { StoredObject } from './core/stored-object.ts'
export { createRindle, type Rindle, type RindleOptions, type SlotOptions } from './rindle.ts'
export type { TextTrack } from './wire/player.ts'
export { version } from './version.ts'
