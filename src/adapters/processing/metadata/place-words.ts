import { type Bytes, stepsOf } from './bytes.ts'

/** What free text says when it holds a place: the words of tools that write coordinates, an ISO 6709 point, a pair of decimal degrees. */
const words =
  /gps|latitude|longitude|geotag|geoloc|geo:|iso6709|"lat"|"lng"|"lon"|[+-]\d{2}(?:\d{2}){0,2}\.\d{2,}[+-]\d{3}(?:\d{2}){0,2}\.\d{2,}|\b-?\d{1,2}\.\d{4,}\s*[,;]\s*-?\d{1,3}\.\d{4,}\b/i

/** What a field is called that is there for a place. */
const names =
  /gps|locat|latitude|longitude|geo(?!metry)|iso6709|\bcity\b|\bcountry|\bstate\b|province|(?:^|[^a-z])(?:lat|lon|lng|long|xyz|place)(?:$|[^a-z])/i

/** The local names of XMP properties that hold a place, whatever prefix their namespace goes by. */
const properties =
  /[\w.-]:(?:gps|city|state\b|country|location|sublocation|province|worldregion|region(?:name|code)|coverage|shotlocation|geo|lat\b|long?\b|lng\b|(?:mcc|mnc|lac|cellid)\b|[\w.-]*(?:latitude|longitude|longtitude|geotag|location|province|geography|verbatimcoord|earthpos|footprintwkt))/i

export const saysPlace = (text: string): boolean => words.test(text)
export const namesPlace = (name: string): boolean => names.test(name)
export const xmpSaysPlace = (text: string): boolean => properties.test(text) || words.test(text)

/** Looks through bytes as text, UTF-16 and UTF-32 included, in steps. */
export const anyTextIn = (bytes: Bytes, says: (text: string) => boolean): boolean => {
  for (const { chunk } of stepsOf(bytes, 256)) {
    const text = chunk.toString('latin1')
    if (says(text) || (text.includes('\0') && says(text.replaceAll('\0', '')))) return true
  }
  return false
}
