import type { RindleContext } from '../../context.ts'
import { profileNamed } from '../../core/admission.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'

/** The profile's store as the library itself uses it, behind its guards. What is written through it has no row. @throws RindleError `profile_unknown` */
export const storageAdapterFor = (ctx: Pick<RindleContext, 'stores' | 'profiles'>, profile: string): StorageAdapter => {
  profileNamed(ctx.profiles, profile)
  return ctx.stores.of(profile)
}
