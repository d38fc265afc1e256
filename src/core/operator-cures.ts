const anew = 'Have it uploaded anew from an intact copy; nothing can be released.'
const widen = 'Widen the profile if such files are wanted, then `rindle release`; else nothing is to be done.'
const asked = 'Have it saved as the message says and uploaded anew; a release is judged the same again.'
const byItself = 'Nothing for the file: it is taken up again by itself, within the hour at most.'
/** Of variants alone, whose asset is served. */
const madeAgain = 'Variants that failed so are made again by `rindle requeue ASSET`.'

/** What an operator does about a code that stands on a row or a run: for the page of errors, and for doctor. */
export const operatorCures: Readonly<Record<string, string>> = {
  upload_object_changed: 'Have it uploaded anew; look who else writes to the store if it happens again.',
  upload_checksum_mismatch: 'Have it uploaded anew; `rindle release` takes it as it came.',
  file_empty: anew,
  type_unknown: anew,
  mime_not_allowed: widen,
  extension_not_allowed: widen,
  extension_missing: widen,
  extension_mime_mismatch: 'Have it renamed, or saved in the right format, and uploaded anew.',
  max_bytes_exceeded: widen,
  max_pixels_exceeded: widen,
  max_side_exceeded: widen,
  max_frames_exceeded: widen,
  max_duration_exceeded: widen,
  max_streams_exceeded: widen,
  max_frame_rate_exceeded: widen,
  codec_not_allowed: asked,
  embedded_file_not_allowed: asked,
  decode_failed: anew,
  decode_too_large: `Raise maxDecodeBytes, as far as memory goes, and have it uploaded anew, or smaller; it cannot be released. ${madeAgain}`,
  external_reference: 'Have it saved with everything inside and uploaded anew; it cannot be released.',
  metadata_not_removable: 'Have it saved again and uploaded anew; or let the profile keep metadata, then `rindle release`.',
  malware_found: 'Look at it with `rindle quarantine`; only what is certainly a false alarm is for `rindle release`.',
  scan_limit_exceeded: 'Raise the limits of the scanner, then `rindle release`; released without that, it goes unseen by that scanner.',
  scanner_unavailable: `Start the scanner. ${byItself}`,
  storage_failed: `Look at \`stores\` of \`rindle doctor\`. ${byItself}`,
  insufficient_disk_headroom: `Make room in the scratch folder, or set scratchFolder to a larger disk. ${byItself}`,
  jail_incomplete: `Build the walls that \`jail\` of \`rindle doctor\` misses. ${byItself}`,
  app_code_failed: `Repair the app’s analyzer or processor. ${byItself}`,
  variant_failed: `The original is served; look at the recipe of the variant, and have the file uploaded anew if it is damaged. ${madeAgain}`,
  host_ephemeral: `Run \`rindle work\` on a machine or in a container that stays, and workers here with \`encoders: 0\`, so that they leave it alone. ${byItself}`,
  processing_cancelled: 'Nothing, somebody wanted it so; `rindle requeue ASSET` has it made after all.',
  source_broken: 'The original is served as it came, and what was made of its beginning is not; have it uploaded anew from an intact copy.',
  decoder_killed: `Look at the log of the worker and at the kernel’s for want of memory or time: if the machine was to blame, give it more and have the file uploaded anew. It cannot be released. ${madeAgain}`,
  decoder_unavailable: `Look at \`decoders\` and \`jail\` of \`rindle doctor\`. ${byItself}`,
  decoder_starved: `Let a worker have fewer files at once (\`--concurrency\`), or the machine more cores. ${byItself}`,
  worker_lost: `Look why workers ended, often for want of memory; then \`rindle release\`, and have an eye on the next worker, or have it uploaded anew. ${madeAgain}`,
  lease_lost: byItself,
  original_missing: `Bring the object back from a backup of the store, or have it uploaded anew. ${madeAgain}`,
}
