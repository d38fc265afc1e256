// Never run: the type checker is the test. Each `@ts-expect-error` fails when the line below it compiles after all.
import {
  type Asset,
  type Attachment,
  createRindle,
  defineProfile,
  image,
  isRindleError,
  type Rindle,
  type Variant,
} from '../../src/index.ts'
import { memoryLike } from '../services/storage-shape.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => undefined

const storage = memoryLike('types')
const avatar = defineProfile({
  storage,
  allowMime: ['image/png'],
  maxBytes: 1,
  variants: { thumb: image({ width: 1 }), large: image({ width: 2 }) },
})
const photo = defineProfile({ storage, allowMime: ['image/png'], maxBytes: 1, variants: { card: image({ width: 1 }) } })
const report = defineProfile({ kind: 'file', storage, allowMime: ['application/pdf'], maxBytes: 1 })

const rindle = createRindle({
  profiles: { avatar, photo, report },
  slots: { avatar: { profile: 'avatar' }, gallery: { profile: 'photo', many: true } },
  database: 'postgres://localhost/x',
  secrets: ['x'],
})
const user = { type: 'User', id: 1n }

export async function names(): Promise<void> {
  await rindle.upload('avatar', 'me.png')
  // @ts-expect-error no profile has that name
  await rindle.upload('avatr', 'me.png')
  // @ts-expect-error no profile has that name
  await rindle.initiateUpload('avatr', { filename: 'me.png', byteSize: 1 })
  // @ts-expect-error the size is required
  await rindle.initiateUpload('avatar', { filename: 'me.png' })

  await rindle.initiateMultipartUpload('avatar', { filename: 'me.png', byteSize: 1, partBytes: 5_242_880 })
  // @ts-expect-error no profile has that name
  await rindle.initiateMultipartUpload('avatr', { filename: 'me.png', byteSize: 1 })
  // @ts-expect-error the size is required
  await rindle.initiateMultipartUpload('avatar', { filename: 'me.png' })
  // @ts-expect-error storage is touched, so it takes no transaction
  await rindle.initiateMultipartUpload('avatar', { filename: 'me.png', byteSize: 1, tx: {} })
  // @ts-expect-error a part is a number and an etag
  await rindle.completeMultipartUpload('id', [{ partNumber: 1 }])
  const { asset: landed } = await rindle.completeMultipartUpload('id')
  same<(typeof landed)['profile'], 'avatar' | 'photo' | 'report'>(true)

  const uploaded = await rindle.upload('avatar', 'me.png')
  same<typeof uploaded, Asset<'avatar'>>(true)
  await rindle.variantUrl(uploaded, 'thumb')
  // @ts-expect-error that variant is another profile's
  await rindle.variantUrl(uploaded, 'card')
  await rindle.variantUrl(uploaded.id, 'card')
  // @ts-expect-error no profile has that variant
  await rindle.variantUrl(uploaded.id, 'cart')
  await rindle.pictureTag(uploaded, { variants: ['thumb', ['large', '(min-width: 1px)']] })
  // @ts-expect-error that variant is another profile's
  await rindle.pictureTag(uploaded, { variants: ['card'] })
  await rindle.videoTag(uploaded, { variants: [['large', '(min-width: 1px)']], poster: 'thumb', strip: null })
  // @ts-expect-error that variant is another profile's
  await rindle.videoTag(uploaded, { poster: 'card' })
  // @ts-expect-error that variant is another profile's
  await rindle.stripTrack(uploaded, { variant: 'card' })
  // @ts-expect-error a track has an address
  await rindle.audioTag(uploaded, { tracks: [{ kind: 'captions' }] })
}

export async function slots(): Promise<void> {
  const uploaded = await rindle.upload('avatar', 'me.png')
  const attachment = await rindle.attach(uploaded, user, 'avatar')
  same<typeof attachment, Attachment<'thumb' | 'large', 'avatar'>>(true)
  // @ts-expect-error no slot has that name
  await rindle.attach(uploaded, user, 'avatars')
  // @ts-expect-error the slot takes another profile
  await rindle.attach(uploaded, user, 'gallery')
  await rindle.attach(uploaded.id, user, 'gallery')
  const { asset } = await rindle.verifyCompletion('id')
  await rindle.attach(asset, user, 'avatar')

  const shown = await rindle.attachmentFor(user, 'avatar')
  same<typeof shown, Attachment<'thumb' | 'large', 'avatar'> | null>(true)
  await rindle.pictureTag(shown, { variants: [['thumb', '(max-width: 480px)'], 'large'], alt: 'Member avatar' })
  // @ts-expect-error the slot's profile has no such variant
  await rindle.pictureTag(shown, { variants: ['card'] })
  await rindle.pictureTag(null, { placeholder: '/empty.png' })
  // @ts-expect-error the slot's profile has no such variant
  await rindle.audioTag(shown, { variants: ['card'] })
  // @ts-expect-error the slot holds many
  await rindle.attachmentFor(user, 'gallery')
  const [gallery] = await rindle.attachmentsFor([user], 'gallery')
  same<typeof gallery, Attachment<'card', 'photo'>[] | undefined>(true)
  // @ts-expect-error an owner has an id
  await rindle.detach({ type: 'User' }, 'avatar')
}

export async function unions(): Promise<string> {
  const { asset } = await rindle.verifyCompletion('id')
  const ready = await rindle.readyVariantsFor(asset)
  same<typeof ready, Variant<'thumb' | 'large' | 'card'>[]>(true)
  switch (asset.profile) {
    case 'avatar':
      same<typeof asset, Asset<'avatar'>>(true)
      return rindle.variantUrl(asset, 'large')
    case 'photo':
      return rindle.variantUrl(asset, 'card')
    case 'report':
      return rindle.url(asset)
  }
}

export function definitions(): void {
  // @ts-expect-error no profile has that name
  createRindle({ profiles: { avatar }, slots: { avatar: { profile: 'avatr' } }, database: 'x', secrets: ['x'] })
  // @ts-expect-error allowMime is required
  defineProfile({ storage, maxBytes: 1 })
  // @ts-expect-error no such option
  defineProfile({ storage, allowMime: ['image/png'], maxBytes: 1, maxByte: 1 })
  // @ts-expect-error no such mode
  image({ mode: 'fil', width: 1 })
  const slotless = createRindle({ profiles: { avatar }, database: 'x', secrets: ['x'] })
  // @ts-expect-error there are no slots
  void slotless.attachmentFor(user, 'avatar')
}

export function errors(err: unknown): number | null {
  if (!isRindleError(err)) return null
  switch (err.code) {
    case 'upload_size_mismatch':
      return err.details.expectedBytes
    case 'asset_not_found':
      // @ts-expect-error this code has other details
      return err.details.expectedBytes
    // @ts-expect-error no such code
    case 'asset_not_fond':
      return 1
    default:
      return 0
  }
}

/** Code that does not care which profiles there are takes any Rindle. */
export const anyOfThem = async (): Promise<void> => {
  const any: Rindle = rindle
  await any.ready()
}
