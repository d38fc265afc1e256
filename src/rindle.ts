import { queueMigrations } from './adapters/queue/install.ts'
import { type RindleContext, rememberContext } from './context.ts'
import type { Asset } from './core/asset.ts'
import type { Attachment } from './core/attachment.ts'
import type { Diagnosis } from './core/diagnosis.ts'
import type { OwnerRef } from './core/owner.ts'
import type { Logger } from './core/ports/logger.ts'
import type { CallOptions, SignedRequest, StorageAdapter } from './core/ports/storage.ts'
import type { SentPart } from './core/multipart.ts'
import { named, type Profiles } from './core/profile.ts'
import type { StoredObject } from './core/stored-object.ts'
import type { SignedUpload, UploadSession, VerifiedUpload } from './core/upload-session.ts'
import type { Variant } from './core/variant.ts'
import { followDatabase } from './database/clock.ts'
import { checkSchemaVersion, migrate, type MigrationReport } from './database/migrate.ts'
import { asset } from './flows/assets/asset.ts'
import { assets, type AssetsOptions } from './flows/assets/assets.ts'
import { attach, type AttachOptions } from './flows/assets/attach.ts'
import { attachmentFor } from './flows/assets/attachment-for.ts'
import { attachmentsFor } from './flows/assets/attachments-for.ts'
import { detach, type DetachOptions } from './flows/assets/detach.ts'
import { readyVariantsFor } from './flows/assets/ready-variants-for.ts'
import { purge, type PurgeOptions } from './flows/assets/purge.ts'
import { releaseQuarantine, type ReleaseQuarantineOptions } from './flows/assets/release-quarantine.ts'
import { settled, type SettledOptions } from './flows/assets/settled.ts'
import { stripTrack } from './flows/delivery/strip-track.ts'
import { stripTrackUrl } from './flows/delivery/strip-track-url.ts'
import { url } from './flows/delivery/url.ts'
import { variantUrl } from './flows/delivery/variant-url.ts'
import { checkMachine } from './flows/ops/check-machine.ts'
import { doctor } from './flows/ops/doctor.ts'
import { startWorker } from './doors/worker/start-worker.ts'
import { workWhenReady } from './doors/worker/work-when-ready.ts'
import type { Worker, WorkerOptions } from './doors/worker/worker.ts'
import { audioTag, type AudioTagOptions } from './doors/html/audio-tag.ts'
import { pictureTag, type PictureTagOptions } from './doors/html/picture-tag.ts'
import { videoTag, type VideoTagOptions } from './doors/html/video-tag.ts'
import { deleteUnmanaged } from './flows/unmanaged/delete-unmanaged.ts'
import { download, type DownloadOptions } from './flows/unmanaged/download.ts'
import { head } from './flows/unmanaged/head.ts'
import { presignedPut, type PresignedPutOptions } from './flows/unmanaged/presigned-put.ts'
import { storageAdapterFor } from './flows/unmanaged/storage-adapter-for.ts'
import { store, type StoreOptions } from './flows/unmanaged/store.ts'
import type { StripTrackOptions } from './flows/steps/mint-track-url.ts'
import type { UrlOptions } from './flows/steps/mint-url.ts'
import type { UploadSource } from './files/open-source.ts'
import { cancelUpload } from './flows/uploads/cancel-upload.ts'
import { completeMultipartUpload } from './flows/uploads/complete-multipart-upload.ts'
import {
  initiateMultipartUpload,
  type InitiateMultipartUploadOptions,
  type MultipartUpload,
} from './flows/uploads/initiate-multipart-upload.ts'
import { initiateUpload, type InitiateUploadOptions } from './flows/uploads/initiate-upload.ts'
import { signMultipartPart } from './flows/uploads/sign-multipart-part.ts'
import { signUpload } from './flows/uploads/sign-upload.ts'
import { upload, type UploadOptions } from './flows/uploads/upload.ts'
import { uploadSession } from './flows/uploads/upload-session.ts'
import { verifyCompletion } from './flows/uploads/verify-completion.ts'
import { cancelProcessing, type CancelProcessingOptions } from './flows/variants/cancel-processing.ts'
import { requeueVariants, type RequeueVariantsOptions } from './flows/variants/requeue-variants.ts'
import { type ClosableContext, contextFrom, type Overrides, type RindleOptions, type SlotsOptions, stderrLogger } from './settings.ts'

export type { Overrides, RindleOptions, SlotOptions, SlotsOptions } from './settings.ts'
type ProfileName<P extends Profiles> = keyof P & string
/** The variants of a profile; of several profiles, those of each. */
type VariantName<P extends Profiles, N extends ProfileName<P> = ProfileName<P>> = { [K in N]: keyof P[K]['variants'] & string }[N]
/** An asset of any of the profiles, told apart by `asset.profile`. */
type AnyAsset<P extends Profiles> = { [N in ProfileName<P>]: Asset<N> }[ProfileName<P>]
type SlotName<S extends SlotsOptions> = keyof S & string
type SingleSlotName<S extends SlotsOptions> = { [K in SlotName<S>]: S[K]['many'] extends true ? never : K }[SlotName<S>]
/** What stands in a slot: it knows the slot's profile and the variants of that. */
type AttachmentIn<P extends Profiles, S extends SlotsOptions, K extends SlotName<S>> = Attachment<
  VariantName<P, S[K]['profile'] & ProfileName<P>>,
  S[K]['profile'] & ProfileName<P>
>
/** An asset or its id; one of another profile than the slot's does not compile. */
type AssetFor<A, N extends string> = [A] extends [{ readonly profile: infer Given }] ? (N extends Given ? A : never) : A
type AssetRef = string | { readonly id: string }

/** Everything an app calls. Whatever is not open yet is opened by the first call. */
export interface Rindle<P extends Profiles = Profiles, S extends SlotsOptions = SlotsOptions> extends AsyncDisposable {
  /** Opens an upload of `byteSize` bytes: a session, and an asset in `staged`. What can be known before the bytes is judged here. */
  initiateUpload(profile: ProfileName<P>, options: InitiateUploadOptions): Promise<UploadSession>
  /** A ticket for the client: one PUT with exactly these headers, for at most 15 minutes. Signing again is fine. */
  signUpload(sessionId: string): Promise<SignedUpload>
  /** Looks whether what was announced is in storage, and hands it to the worker. Idempotent; the gate's verdict comes later, on the asset. */
  verifyCompletion(sessionId: string): Promise<VerifiedUpload<AnyAsset<P>>>
  /** @deprecated Use `verifyCompletion`, which it is. */
  verifyUpload(sessionId: string): Promise<VerifiedUpload<AnyAsset<P>>>
  /** Opens an upload that comes in parts, each by a PUT of its own: for large files, and for those that a lost connection must not undo. */
  initiateMultipartUpload(profile: ProfileName<P>, options: InitiateMultipartUploadOptions): Promise<MultipartUpload>
  /** A ticket for one part, counted from 1: exactly its bytes, for at most 15 minutes. In any order, and again. */
  signMultipartPart(sessionId: string, partNumber: number): Promise<SignedUpload>
  /** Has storage put the parts together, and hands the asset to the worker. Idempotent; what is missing is said, and changes nothing. */
  completeMultipartUpload(sessionId: string, parts?: readonly SentPart[]): Promise<VerifiedUpload<AnyAsset<P>>>
  /** Takes a file in on the server, streaming: a path, bytes, a Blob or File, a web or Node stream. */
  upload<N extends ProfileName<P>>(profile: N, source: UploadSource, options?: UploadOptions): Promise<Asset<N>>
  /** Null when there is none, or when it ended so long ago that it was forgotten. */
  uploadSession(sessionId: string): Promise<UploadSession | null>
  /** Gives an upload up that was not verified. Its tickets lead nowhere any more. */
  cancelUpload(sessionId: string): Promise<UploadSession>

  /** Null when there is none, or when it is being purged. */
  asset(assetId: string): Promise<AnyAsset<P> | null>
  /** Waits until the asset has left the gate and its variants are done; the gate's verdict is thrown. */
  settled(assetId: string, options?: SettledOptions): Promise<AnyAsset<P>>
  /** Newest first, a page at a time. */
  assets(
    options?: AssetsOptions & { readonly profile?: ProfileName<P> },
  ): Promise<{ readonly assets: readonly AnyAsset<P>[]; readonly cursor: string | null }>
  /** Puts an asset into a slot of an owner, with `{ tx }` in the app's own transaction. What is replaced goes once nothing holds it. */
  attach<A extends AssetRef, K extends SlotName<S>>(
    asset: A & AssetFor<A, S[K]['profile']>,
    owner: OwnerRef,
    slot: K,
    options?: AttachOptions,
  ): Promise<AttachmentIn<P, S, K>>
  /** Empties a slot, or takes one `asset` out of a slot that holds many. Nothing there is fine. */
  detach(owner: OwnerRef, slot: SlotName<S>, options?: DetachOptions): Promise<void>
  /** What stands in a slot, with its variants, in one query. While a replacement is checked, `previous` is what to show. */
  attachmentFor<K extends SingleSlotName<S>>(owner: OwnerRef, slot: K): Promise<AttachmentIn<P, S, K> | null>
  /** The slot of many owners in one query: one list per owner, in their order. */
  attachmentsFor<K extends SlotName<S>>(owners: readonly OwnerRef[], slot: K): Promise<AttachmentIn<P, S, K>[][]>
  /** Those variants that are ready, by name. */
  readyVariantsFor<N extends ProfileName<P>>(asset: Asset<N> | AssetRef): Promise<Variant<VariantName<P, N>>[]>

  /** Takes an asset away for good, with its files. Refused with `asset_attached` while a slot shows it. */
  purge(asset: AssetRef, options?: PurgeOptions): Promise<void>
  /** Sends a file that is held back to the gate once more, with who decided it and why. Broken files are not released. */
  releaseQuarantine(asset: AssetRef, options: ReleaseQuarantineOptions): Promise<void>

  /** Stops making variants of an asset, in whatever process; those that wait or are being made become `cancelled`. Returns their names. */
  cancelProcessing(asset: AssetRef, options?: CancelProcessingOptions): Promise<readonly string[]>
  /** Has variants made that failed or were cancelled, or those named that are stale or missing. Returns their names. */
  requeueVariants<N extends ProfileName<P>>(
    asset: Asset<N> | AssetRef,
    options?: RequeueVariantsOptions<VariantName<P, N>>,
  ): Promise<readonly string[]>

  /** An address of the original. `asset_not_available` before the gate has passed it (retryable) and after a refusal. */
  url(asset: AssetRef, options?: UrlOptions): Promise<string>
  /** An address of a variant; while it is not there, of the original, where browsers draw its type. */
  variantUrl<N extends ProfileName<P>>(asset: Asset<N> | AssetRef, variant: VariantName<P, N>, options?: UrlOptions): Promise<string>
  /** A `<picture>` as HTML, everything escaped. Null, and what may not be shown, gives the `placeholder` or empty text. */
  pictureTag<N extends string>(attachment: Attachment<N> | null, options?: PictureTagOptions<NoInfer<N>>): Promise<string>
  pictureTag<N extends ProfileName<P>>(
    asset: Asset<N> | string | { readonly id: string; readonly asset?: never } | null,
    options?: PictureTagOptions<VariantName<P, N>>,
  ): Promise<string>
  /** A `<video>` as HTML, everything escaped: films, poster, tracks, thumbnails. Null gives the `placeholder` or empty text. */
  videoTag<N extends string>(attachment: Attachment<N> | null, options?: VideoTagOptions<NoInfer<N>>): Promise<string>
  videoTag<N extends ProfileName<P>>(
    asset: Asset<N> | string | { readonly id: string; readonly asset?: never } | null,
    options?: VideoTagOptions<VariantName<P, N>>,
  ): Promise<string>
  /** An `<audio>` as HTML, everything escaped. Null, and what cannot be played, gives empty text. */
  audioTag<N extends string>(attachment: Attachment<N> | null, options?: AudioTagOptions<NoInfer<N>>): Promise<string>
  audioTag<N extends ProfileName<P>>(
    asset: Asset<N> | string | { readonly id: string; readonly asset?: never } | null,
    options?: AudioTagOptions<VariantName<P, N>>,
  ): Promise<string>
  /** The thumbnails of a film as WebVTT, with the strip's URL in it. Null while no strip is ready. */
  stripTrack<N extends ProfileName<P>>(asset: Asset<N> | AssetRef, options?: StripTrackOptions<VariantName<P, N>>): Promise<string | null>
  /** An address of the same, for a `<track>`. */
  stripTrackUrl<N extends ProfileName<P>>(
    asset: Asset<N> | AssetRef,
    options?: StripTrackOptions<VariantName<P, N>>,
  ): Promise<string | null>

  /** Stores bytes of the app's own below `unmanaged/`: no asset, no gate, no URL, but a row. A key is written once. */
  store(profile: ProfileName<P>, key: string, source: UploadSource, options?: StoreOptions): Promise<StoredObject>
  /** The same as `store`, for renditions that the app made itself. */
  storeVariant(profile: ProfileName<P>, key: string, source: UploadSource, options?: StoreOptions): Promise<StoredObject>
  /** Writes what lies below any key to `destination`: a file is `Writable.toWeb(createWriteStream(path))`. */
  download(
    profile: ProfileName<P>,
    key: string,
    destination: WritableStream<Uint8Array>,
    options?: DownloadOptions,
  ): Promise<{ readonly byteSize: number }>
  /** What lies below any key; null when nothing does. */
  head(profile: ProfileName<P>, key: string, options?: CallOptions): Promise<StoredObject | null>
  /** Deletes below `unmanaged/`. Nothing there is fine. */
  delete(profile: ProfileName<P>, key: string, options?: CallOptions): Promise<void>
  /** A ticket for one PUT below `unmanaged/`, of that length and type, for at most 15 minutes. */
  presignedPut(profile: ProfileName<P>, key: string, expiresInSeconds: number, options: PresignedPutOptions): Promise<SignedRequest>
  /** The profile's store behind its guards. What is written through it has no row. */
  storageAdapterFor(profile: ProfileName<P>): StorageAdapter

  /**
   * Starts a worker in this process: it takes files through the gate, makes variants, deletes and sweeps, until it is stopped. It begins with
   * what `ready` does, and where that refuses it takes no job: the log says why, and `failed` rejects with it.
   */
  work(options?: WorkerOptions): Worker
  /** Looks at everything that has to be in order, and says of each thing how it is and what to do. Changes nothing, and works where `ready` does not. */
  doctor(): Promise<Diagnosis>
  /** Brings the schema to what this version needs. The only thing that changes it. */
  migrate(): Promise<MigrationReport>
  /**
   * Opens the database, checks the schema's version, sets the clock and opens the queue, as every call does by itself. Then, which only this
   * and `work` do, refuses profiles that ask for what this machine cannot do: where they take HEIC, audio or video, or every wall of the jail
   * is required, that starts a decoder and opens a sample of each, a second or two. Nothing but a worker needs what it asks for.
   *
   * @throws RindleError `peer_missing`, `program_missing`, `peer_outdated` with the install line; `jail_incomplete`, `decoder_unavailable`
   */
  ready(): Promise<void>
  /** Stops the workers that were started here and lets go of everything. */
  close(): Promise<void>
}

/**
 * Ties profiles, slots, a database and secrets together. Checks everything and touches nothing: what is not open is opened by the
 * first call, or by `ready()`.
 *
 * @throws RindleError `options_invalid` with every problem at once.
 */
export const createRindle = <const P extends Profiles, const S extends SlotsOptions<ProfileName<P>> = Record<never, never>>(
  options: RindleOptions<P, S>,
): Rindle<P, S> => named<Rindle<P, S>>(assemble(options, {}))

/** The same, with what tests decide. */
export const createTestRindle = <const P extends Profiles, const S extends SlotsOptions<ProfileName<P>> = Record<never, never>>(
  options: RindleOptions<P, S>,
  overrides: Overrides,
): Rindle<P, S> => named<Rindle<P, S>>(assemble(options, overrides))

const assemble = (options: RindleOptions, overrides: Overrides): Rindle => {
  const context = contextFrom(options, overrides)
  const life = lifeOf(context, options.logger ?? stderrLogger(context.clock))
  const rindle = bindFlows(context, life)
  rememberContext(rindle, context, life.open)
  return rindle
}

const bindFlows = (context: RindleContext, life: Life): Rindle => {
  const bound =
    <A extends readonly unknown[], R>(flow: (ctx: RindleContext, ...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      await life.open()
      return flow(context, ...given)
    }
  return {
    initiateUpload: bound(initiateUpload),
    signUpload: bound(signUpload),
    verifyCompletion: bound(verifyCompletion),
    verifyUpload: bound(verifyCompletion),
    initiateMultipartUpload: bound(initiateMultipartUpload),
    signMultipartPart: bound(signMultipartPart),
    completeMultipartUpload: bound(completeMultipartUpload),
    upload: named<Rindle['upload']>(bound(upload)),
    uploadSession: bound(uploadSession),
    cancelUpload: bound(cancelUpload),
    asset: bound(asset),
    settled: bound(settled),
    assets: bound(assets),
    attach: bound(attach),
    detach: bound(detach),
    attachmentFor: bound(attachmentFor),
    attachmentsFor: bound(attachmentsFor),
    readyVariantsFor: bound(readyVariantsFor),
    purge: bound(purge),
    releaseQuarantine: bound(releaseQuarantine),
    cancelProcessing: bound(cancelProcessing),
    requeueVariants: bound(requeueVariants),
    url: bound(url),
    variantUrl: bound(variantUrl),
    pictureTag: bound(pictureTag),
    videoTag: bound(videoTag),
    audioTag: bound(audioTag),
    stripTrack: bound(stripTrack),
    stripTrackUrl: bound(stripTrackUrl),
    store: bound(store),
    storeVariant: bound(store),
    download: bound(download),
    head: bound(head),
    delete: bound(deleteUnmanaged),
    presignedPut: bound(presignedPut),
    storageAdapterFor: (profile) => storageAdapterFor(context, profile),
    work: life.work,
    doctor: () => doctor(context),
    migrate: life.migrate,
    ready: life.ready,
    close: life.close,
    [Symbol.asyncDispose]: life.close,
  }
}

interface Life {
  /** What every call needs. */
  open(): Promise<void>
  work(options?: WorkerOptions): Worker
  migrate(): Promise<MigrationReport>
  ready(): Promise<void>
  close(): Promise<void>
}

const lifeOf = (context: ClosableContext, workerLogger: Logger): Life => {
  const workers: Worker[] = []
  const { db, queue, clock, changes, jail } = context
  let closing: Promise<void> | null = null
  const open = once(async () => {
    await db.open()
    await checkSchemaVersion(db.pool)
    await followDatabase(clock, db.clock)
    await queue.open()
  })
  const ready = once(async () => {
    await open()
    await checkMachine(context)
  })
  const end = async (): Promise<void> => {
    await Promise.all([open.begun(), ready.begun()])
    await Promise.all(workers.map((worker) => worker.stop()))
    await changes.close()
    await queue.close()
    await jail.close()
    await db.close()
  }
  return {
    open,
    ready,
    work(options) {
      const worker = workWhenReady(ready, () => startWorker({ ...context, logger: workerLogger }, options), workerLogger)
      workers.push(worker)
      return worker
    },
    async migrate() {
      await db.open()
      return migrate(db, { queue: queueMigrations })
    },
    close: () => (closing ??= end()),
  }
}

/** Does it once; where it failed, the next call tries again. `begun` waits for what was called, however it ends. */
const once = (act: () => Promise<void>): { (): Promise<void>; begun(): Promise<void> } => {
  let doing: Promise<void> | null = null
  const call = (): Promise<void> => {
    doing ??= act().catch((err: unknown) => {
      doing = null
      throw err
    })
    return doing
  }
  return Object.assign(call, { begun: async () => doing?.catch(() => undefined) })
}
