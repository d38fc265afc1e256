import type { Source } from './sources.ts'

/** A word that stands in every place: wherever it is found, something of a place is left. */
export const canary = 'Kanarienwinkel'
const [latitude, longitude, altitude] = ['48.1371543', '11.5753829', '519.25']
export const iso6709 = '+48.1371+011.5753+519.250/'
/** What is looked for in the bytes. */
export const canaries = [canary, '48.1371', '11.5753', '+48.137', '48,8.2292']

const gpsOf = (group: string): string[] => [
  `-${group}:GPSLatitude=${latitude}`,
  `-${group}:GPSLongitude=${longitude}`,
  `-${group}:GPSAltitude=${altitude}`,
]
const exifGps = [
  ...gpsOf('GPS'),
  ...['-GPS:GPSLatitudeRef=N', '-GPS:GPSLongitudeRef=E', '-GPS:GPSAltitudeRef=above sea level', '-GPS:GPSDateStamp=2026:01:02'],
  ...[`-GPS:GPSAreaInformation=${canary}`, `-GPS:GPSProcessingMethod=${canary}`, `-GPS:GPSMapDatum=${canary}`],
]
const camera = ['-IFD0:Make=Rollei', '-IFD0:Model=35 S', '-ExifIFD:DateTimeOriginal=2026:01:02 03:04:05', '-ExifIFD:LensModel=Sonnar 40']
const xmpGps = [...gpsOf('XMP-exif'), `-XMP-exif:GPSAreaInformation=${canary}`]
const xmpCity = [`-XMP-photoshop:City=${canary}`, `-XMP-photoshop:State=${canary}`, `-XMP-photoshop:Country=${canary}`]
const xmpCore = [`-XMP-iptcCore:Location=${canary}`, '-XMP-iptcCore:CountryCode=DEU']
const xmpShown = [
  `-XMP-iptcExt:LocationShown={City=${canary},CountryName=${canary},Sublocation=${canary}}`,
  `-XMP-iptcExt:LocationCreated={City=${canary},ProvinceState=${canary},GPSLatitude=48.1371543,GPSLongitude=11.5753829}`,
]
const iptc = [
  ...[`-IPTC:City=${canary}`, `-IPTC:Sub-location=${canary}`, `-IPTC:Province-State=${canary}`, '-IPTC:Country-PrimaryLocationCode=DEU'],
  ...[`-IPTC:Country-PrimaryLocationName=${canary}`, `-IPTC:ContentLocationName=${canary}`, '-IPTC:ContentLocationCode=DEU'],
]
const title = ['-XMP-dc:Title=A film', '-IPTC:Headline=A headline']

export interface Tagging {
  readonly name: string
  /** What exiftool is told. */
  readonly args: readonly string[]
}

const turned = (orientation: number): string => `-IFD0:Orientation#=${orientation}`
const little = ['-ExifByteOrder=Little-endian']
const big = ['-ExifByteOrder=Big-endian']

const exifTaggings: readonly Tagging[] = [
  { name: 'gps-little', args: [...little, ...camera, ...exifGps] },
  { name: 'gps-big-turned-6', args: [...big, ...camera, ...exifGps, turned(6)] },
  { name: 'gps-turned-3', args: [...little, ...camera, ...exifGps, turned(3)] },
  { name: 'gps-alone', args: exifGps },
  { name: 'gps-comment', args: [...camera, ...exifGps, turned(8), `-ExifIFD:UserComment=GPS ${latitude}, ${longitude}`] },
]
const xmpTaggings: readonly Tagging[] = [
  { name: 'xmp-gps', args: [...xmpGps, ...title.slice(0, 1)] },
  { name: 'xmp-city', args: xmpCity },
  { name: 'xmp-core', args: xmpCore },
  { name: 'xmp-shown', args: xmpShown },
  {
    name: 'xmp-creatures',
    args: [
      `-XMP-dwc:DCTermsLocation={VerbatimCoordinates=${canary},HigherGeography=${canary},StateProvince=${canary},DecimalLatitude=${latitude}}`,
    ],
  },
  { name: 'xmp-drone', args: [`-XMP-drone-dji:Latitude=${latitude}`, `-XMP-drone-dji:Longitude=${longitude}`] },
  {
    name: 'xmp-scene',
    args: [`-XMP-xmpDM:ShotLocation=${canary}`, `-XMP-prism:Location=${canary}`, `-XMP-photomech:CountryCode=${canary}`],
  },
  { name: 'xmp-compact', args: ['-api', 'compact=shorthand,nopadding', ...xmpGps, ...xmpCity] },
  { name: 'xmp-written-out', args: [...xmpGps, ...xmpShown, ...xmpCore, ...xmpCity] },
]
const iptcTaggings: readonly Tagging[] = [
  { name: 'iptc', args: [...iptc, ...title] },
  { name: 'everything', args: [...camera, ...exifGps, ...xmpGps, ...xmpCity, ...xmpShown, ...iptc, turned(5)] },
]
const jpegTaggings: readonly Tagging[] = [
  { name: 'xmp-extended', args: [`-XMP-dc:Description=${'all that is seen '.repeat(5_000)}`, ...xmpGps, ...xmpCity, turned(2)] },
  { name: 'comment', args: [`-Comment=geo: ${latitude},${longitude}`, ...camera, turned(7)] },
  { name: 'photoshop-exif', args: [...camera, ...exifGps, '-Photoshop:XResolution=72', ...iptc] },
]
const gifTaggings: readonly Tagging[] = [...xmpTaggings, { name: 'comment', args: [`-Comment=GPS ${latitude} ${longitude}`] }]
const tiffTaggings: readonly Tagging[] = [
  {
    name: 'geotiff',
    args: [`-GeoTiffDoubleParams=11.5753829 48.1371543 0 0 0 0`, '-ModelTransform=1 0 0 11.5753829 0 1 0 48.1371543 0 0 1 0 0 0 0 1'],
  },
]
const pngTaggings: readonly Tagging[] = [
  { name: 'xmp-compressed', args: ['-z', ...xmpGps, ...xmpCity] },
  { name: 'text', args: [`-PNG:Comment=GPS ${latitude}, ${longitude}`] },
]
const coordinates = `${latitude}, ${longitude}, ${altitude}`
const movieTaggings: readonly Tagging[] = [
  {
    name: 'keys',
    args: [`-Keys:GPSCoordinates=${coordinates}`, `-Keys:LocationName=${canary}`, '-Keys:Make=Rollei', '-Keys:Software=Film 1'],
  },
  { name: 'keys-iso6709', args: [`-Keys:LocationNote=${canary}`, `-Keys:LocationBody=${canary}`, `-Keys:GPSCoordinates=${coordinates}`] },
  { name: 'user-data', args: [`-UserData:GPSCoordinates=${coordinates}`, '-UserData:Make=Rollei'] },
  { name: 'item-list', args: [`-ItemList:GPSCoordinates=${coordinates}`, '-ItemList:Title=A film', '-ItemList:Artist=Somebody'] },
  { name: 'xmp-gps', args: [...xmpGps, ...xmpCity] },
  {
    name: 'everything',
    args: [
      `-Keys:GPSCoordinates=${coordinates}`,
      `-UserData:GPSCoordinates=${coordinates}`,
      `-ItemList:GPSCoordinates=${coordinates}`,
      ...xmpShown,
    ],
  },
]

const byType: Readonly<Record<string, readonly Tagging[]>> = {
  'image/jpeg': [...exifTaggings, ...xmpTaggings, ...iptcTaggings, ...jpegTaggings],
  'image/png': [...exifTaggings, ...xmpTaggings, ...iptcTaggings, ...pngTaggings],
  'image/webp': [...exifTaggings, ...xmpTaggings],
  'image/gif': gifTaggings,
  'image/tiff': [...exifTaggings, ...xmpTaggings, ...iptcTaggings, ...tiffTaggings],
  'image/avif': [...exifTaggings, ...xmpTaggings],
  'image/heic': [...exifTaggings, ...xmpTaggings],
  'video/mp4': movieTaggings,
  'video/quicktime': movieTaggings,
  'audio/mp4': movieTaggings,
}

/** Into fragments and sequences exiftool writes nothing, and into an APNG where no other reader expects it. */
const byHandAlone: ReadonlySet<string> = new Set(['mp4-fragments', 'avif-moving', 'png-moving'])

/** What exiftool writes into files of the source's type. */
export const taggingsOf = ({ name, type }: Source): readonly Tagging[] => (byHandAlone.has(name) ? [] : (byType[type] ?? []))

/** Sounds and WebM as ffmpeg tags them; all of it has to go. */
export const remuxTaggings: readonly Tagging[] = [
  { name: 'location', args: ['-metadata', `location=${iso6709}`, '-metadata', 'title=A sound', '-metadata', `comment=${canary}`] },
  { name: 'artist', args: ['-metadata', `artist=${canary}`, '-metadata', `album=${canary}`, '-metadata', `location-eng=${iso6709}`] },
  { name: 'stream', args: ['-metadata', `comment=GPS ${iso6709}`, '-metadata:s:0', `location=${iso6709}`, '-metadata', `city=${canary}`] },
]
/** Films as ffmpeg tags them. */
export const movieRemuxTaggings: readonly Tagging[] = [
  { name: 'location', args: ['-metadata', `location=${iso6709}`, '-metadata', 'title=A film'] },
  { name: 'stream', args: ['-metadata', `location=${iso6709}`, '-metadata:s:0', `location=${iso6709}`] },
  { name: 'comment', args: ['-metadata', `comment=GPS ${iso6709}`] },
  {
    name: 'keys',
    args: [
      ...['-movflags', 'use_metadata_tags', '-metadata', `com.apple.quicktime.location.ISO6709=${iso6709}`],
      ...['-metadata', `location=${iso6709}`],
    ],
  },
  { name: 'keys-named', args: ['-movflags', 'use_metadata_tags', '-metadata', `location-name=${canary}`, '-metadata', 'title=A film'] },
]
