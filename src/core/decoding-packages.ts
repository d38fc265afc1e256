import { kindOf } from './content-type.ts'

/** The oldest of what opens untrusted files that is given any; older ones have holes that such files were seen to use. */
export const oldestOf = { sharp: '0.35.0', libvips: '8.18.0', ffmpeg: '5.1', ffprobe: '5.1' } as const

/** The library by whose number an ffmpeg is known that was built from a commit and goes by no version: that of `oldestOf.ffmpeg`. */
export const oldestAvutil = '57.28'

/** Where both programs are looked for, whatever PATH says. */
export const ffmpegFolders: readonly string[] = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/bin']

export const installFfmpeg = `apt-get install ffmpeg, or brew install ffmpeg; it is looked for in ${ffmpegFolders.join(', ')}, and not along PATH`

/** What has to be installed for files of a type to be opened, and how. */
export const packageFor = (contentType: string): { readonly packageName: string; readonly install: string } => {
  if (contentType === 'image/heic') return npm('heic-decode')
  return kindOf(contentType) === 'image' ? npm('sharp') : { packageName: 'ffmpeg', install: installFfmpeg }
}

const npm = (packageName: string) => ({ packageName, install: `npm install ${packageName}` })
