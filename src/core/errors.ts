import { spokenType } from './content-type.ts'

/** What every door needs to know about one kind of failure. */
interface ErrorSpec<D> {
  /** HTTP status the http door answers with. */
  readonly status: number
  /** True when the same call may succeed later although the caller changes nothing. */
  readonly retryable: boolean
  /** One sentence that says what to do. Never a URL, a token or a session URI. */
  readonly message: (details: D) => string
}

const spec = <D>(status: number, retryable: boolean, message: (details: D) => string): ErrorSpec<D> => ({ status, retryable, message })

/** How each kind of upload session was opened, and what to call for it. */
const waysToSend = {
  presigned_put: 'by initiateUpload, so its ticket comes from signUpload and its end from verifyCompletion',
  multipart: 'by initiateMultipartUpload, so its tickets come from signMultipartPart and its end from completeMultipartUpload',
  resumable: 'for a client that resumes it by itself',
  proxied: 'by upload, which takes the bytes in itself',
}

const names = (list: readonly string[]): string => (list.length > 0 ? list.join(', ') : 'none')
const spoken = (types: readonly string[]): string => names(types.map(spokenType))

/** The complete catalogue. A new failure is one entry here; docs/reference/errors.md is printed from it. */
export const errorCatalog = {
  // Definitions and configuration
  profile_invalid: spec<{ problems: readonly string[] }>(500, false, (d) => `The profile cannot be used:\n- ${d.problems.join('\n- ')}`),
  options_invalid: spec<{ problems: readonly string[] }>(
    500,
    false,
    (d) => `createRindle cannot use these options:\n- ${d.problems.join('\n- ')}`,
  ),
  argument_invalid: spec<{ argument: string; problem: string }>(422, false, (d) => `${d.argument}: ${d.problem}.`),
  peer_missing: spec<{ packageName: string; neededFor: string }>(
    500,
    false,
    (d) => `${d.neededFor} needs the package ${d.packageName}: npm install ${d.packageName}`,
  ),
  peer_outdated: spec<{ packageName: string; found: string; needed: string }>(
    500,
    false,
    (d) => `${d.packageName} ${d.found} is too old to be given untrusted files; ${d.needed} or newer is needed.`,
  ),
  program_missing: spec<{ program: string; neededFor: string; install: string }>(
    500,
    false,
    (d) => `${d.neededFor} needs ${d.program}, which is not on this machine: ${d.install}`,
  ),
  jail_incomplete: spec<{ missing: readonly string[] }>(
    500,
    false,
    (d) =>
      `createRindle({ jail: 'require' }) asks for every wall around decoders, and here some do not stand:\n- ${d.missing.join('\n- ')}`,
  ),
  handler_options_invalid: spec<{ missing: readonly string[] }>(
    500,
    false,
    (d) =>
      `createHandler needs ${d.missing.join(' and ')}: createHandler(rindle, { identify: (request) => …the signed-in user or null…, authorize: ({ actor, action, subject }) => …true or false… }).`,
  ),
  profile_unknown: spec<{ profile: string; known: readonly string[] }>(
    422,
    false,
    (d) => `No profile is named ${d.profile}; there are: ${names(d.known)}.`,
  ),
  slot_unknown: spec<{ slot: string; known: readonly string[] }>(
    422,
    false,
    (d) => `No slot is named ${d.slot}; there are: ${names(d.known)}.`,
  ),
  variant_unknown: spec<{ variant: string; profile: string; known: readonly string[] }>(
    422,
    false,
    (d) => `Profile ${d.profile} has no variant ${d.variant}; it has: ${names(d.known)}.`,
  ),
  store_unknown: spec<{ store: string }>(
    500,
    false,
    (d) => `Objects are kept in ${d.store}, which no profile uses: name it in createRindle({ stores: [...] }).`,
  ),
  schema_version_mismatch: spec<{ found: string; expected: string } | { found: string; expected: string; newer: true }>(500, false, (d) =>
    'newer' in d
      ? `The database schema is ${d.found}, this version only knows ${d.expected}: deploy the newer version that brought it there.`
      : `The database schema is ${d.found}, this version needs ${d.expected}: run \`rindle migrate\` with the version you deploy.`,
  ),
  database_in_use: spec<{ directory: string; pid: number | null }>(
    500,
    false,
    (d) =>
      `The embedded database in ${d.directory} is open in another process${d.pid ? ` (pid ${d.pid})` : ''}: stop that process, or set DATABASE_URL to a PostgreSQL server that several processes can share.`,
  ),
  database_unavailable: spec<{ operation: string }>(503, true, (d) => `The database did not answer (${d.operation}); try again.`),
  database_refused: spec<{ reason: string }>(
    500,
    false,
    (d) =>
      `The database refused: ${d.reason}. Check the address, the role and its password; a role that owns nothing gets its rights by \`rindle migrate --grant-to ROLE\`.`,
  ),
  statement_cancelled: spec<{ reason: string }>(
    503,
    true,
    (d) =>
      `The database ended a statement before it was through: ${d.reason}. Try again; if it stays so, give the role more time: alter role … set statement_timeout = 0, and lock_timeout likewise.`,
  ),
  transaction_not_passed: spec<{ operation: string }>(
    500,
    false,
    (d) => `${d.operation} was called inside an open transaction of the embedded database without it: pass { tx }.`,
  ),
  transaction_not_supported: spec<{ given: string }>(
    422,
    false,
    (d) => `{ tx } takes a checked-out pg client or a Kysely, Drizzle, Prisma or Knex transaction, not ${d.given}.`,
  ),
  transaction_conflict: spec<{ operation: string }>(
    409,
    true,
    (d) => `${d.operation} met another transaction on the same rows; run your transaction again.`,
  ),
  storage_inside_transaction: spec<{ operation: string }>(
    500,
    false,
    (d) => `storage.${d.operation} was called while a transaction was open: commit first, then touch storage.`,
  ),
  state_conflict: spec<{ entity: string; id: string; move: string; expected: readonly string[]; actual: string }>(
    409,
    true,
    (d) => `Cannot ${d.move} ${d.entity} ${d.id}: it is ${d.actual}, not ${d.expected.join(' or ')}.`,
  ),
  statement_missed: spec<{ step: string }>(409, true, (d) => `Rows had moved on while they were looked at (${d.step}); try again.`),
  rindle_closed: spec<Record<string, never>>(500, false, () => 'This Rindle was closed: create another one.'),
  worker_failed: spec<{ loop: string }>(500, true, (d) => `The worker's ${d.loop} loop cannot go on; start the worker again.`),
  work_unfinished: spec<{ rows: readonly string[]; seconds: number }>(
    500,
    false,
    (d) =>
      `After ${d.seconds} s somebody is still to come for ${d.rows.join(', ')}: look whether its last run in media_processing_runs says why.`,
  ),
  app_not_found: spec<{ looked: readonly string[] }>(
    500,
    false,
    (d) => `No app with an export named rindle: looked at ${d.looked.join(', ')}. Pass --app FILE, or set rindle.app in package.json.`,
  ),
  app_needs_typescript: spec<{ file: string; node: string }>(
    500,
    false,
    (d) =>
      `${d.file} is TypeScript, which Node ${d.node} does not load: use Node 22.18 or newer, or name the compiled file with --app FILE.`,
  ),
  app_not_loaded: spec<{ file: string; reason: string }>(500, false, (d) => `${d.file} could not be loaded: ${d.reason}`),

  // Uploads
  upload_session_not_found: spec<{ sessionId: string }>(404, false, (d) => `No upload session ${d.sessionId}.`),
  upload_session_expired: spec<{ sessionId: string }>(
    410,
    false,
    (d) => `Upload session ${d.sessionId} has expired: initiate another one.`,
  ),
  upload_session_ended: spec<{ sessionId: string; state: string }>(409, false, (d) => `Upload session ${d.sessionId} is ${d.state}.`),
  upload_object_missing: spec<{ sessionId: string }>(
    422,
    true,
    (d) => `Nothing has landed for upload session ${d.sessionId}: finish the PUT, then verify again.`,
  ),
  upload_size_mismatch: spec<{ sessionId: string; expectedBytes: number; actualBytes: number }>(
    422,
    false,
    (d) =>
      `Session ${d.sessionId} announced ${d.expectedBytes} bytes; storage holds ${d.actualBytes}. Sign again and send the announced file.`,
  ),
  upload_parts_missing: spec<{ sessionId: string; missing: readonly number[]; missingCount: number; partCount: number }>(
    422,
    true,
    (d) =>
      `Upload session ${d.sessionId} lacks ${d.missingCount} of its ${d.partCount} parts: sign and send those that are missing, then complete it again.`,
  ),
  upload_parts_mismatch: spec<{ sessionId: string; partNumber: number; problem: string }>(
    422,
    false,
    (d) => `Part ${d.partNumber} of upload session ${d.sessionId}: ${d.problem}. Sign that part again and send it as announced.`,
  ),
  upload_type_mismatch: spec<{ sessionId: string; expectedType: string; actualType: string }>(
    422,
    false,
    (d) => `Session ${d.sessionId} announced ${d.expectedType}; storage holds ${d.actualType}. Sign again and send the announced file.`,
  ),
  upload_too_large: spec<{ maxBytes: number; actualBytes: number | null }>(
    413,
    false,
    (d) =>
      `The file${d.actualBytes === null ? '' : ` has ${d.actualBytes} bytes and`} is larger than the ${d.maxBytes} bytes that its profile takes.`,
  ),
  upload_put_too_large: spec<{ maxPutBytes: number; actualBytes: number }>(
    413,
    false,
    (d) =>
      `The file has ${d.actualBytes} bytes, and one PUT may carry ${d.maxPutBytes} to its storage: send it in parts, with initiateMultipartUpload.`,
  ),
  upload_type_not_allowed: spec<{ contentType: string; allowed: readonly string[] }>(
    422,
    false,
    (d) => `${spokenType(d.contentType)} files are not taken here; what is taken: ${spoken(d.allowed)}.`,
  ),
  upload_extension_not_allowed: spec<{ extension: string; allowed: readonly string[] }>(
    422,
    false,
    (d) => `Files ending in .${d.extension} are not taken here; allowed are ${names(d.allowed)}.`,
  ),
  upload_byte_size_required: spec<Record<string, never>>(422, false, () => 'byteSize is required: the number of bytes that will be sent.'),
  upload_source_failed: spec<Record<string, never>>(
    422,
    true,
    () => 'The source of the upload broke off before its end; nothing was kept.',
  ),
  upload_source_unreadable: spec<{ problem: string }>(422, false, (d) => `The source of the upload cannot be read: ${d.problem}.`),
  idempotency_key_reused: spec<{ sessionId: string }>(
    409,
    false,
    (d) => `This idempotency key belongs to upload session ${d.sessionId}, which declared something else: use another key.`,
  ),
  upload_unsupported: spec<{ capability: string; store: string } | { capability: string; uploadStrategy: keyof typeof waysToSend }>(
    422,
    false,
    (d) =>
      'uploadStrategy' in d
        ? `This upload session cannot do ${d.capability}: it was opened ${waysToSend[d.uploadStrategy]}.`
        : `The storage ${d.store} cannot do ${d.capability}; choose another way to upload or another adapter.`,
  ),

  // Tickets
  ticket_invalid: spec<Record<string, never>>(403, false, () => 'This ticket is not valid here: ask for a new one.'),
  ticket_expired: spec<Record<string, never>>(403, false, () => 'This ticket has expired: ask for a new one.'),
  ticket_mismatch: spec<{ header: string; expected: string }>(
    422,
    false,
    (d) => `The request's ${d.header} must be ${d.expected}, as the ticket says.`,
  ),

  // Storage
  object_exists: spec<Record<string, never>>(412, false, () => 'Something has already landed there; verify the upload.'),
  object_not_found: spec<Record<string, never>>(404, false, () => 'There is no such object.'),
  object_size_mismatch: spec<{ expectedBytes: number; actualBytes: number }>(
    422,
    false,
    (d) => `${d.expectedBytes} bytes were announced, ${d.actualBytes} came.`,
  ),
  object_range_invalid: spec<{ sizeBytes: number }>(416, false, (d) => `The range lies beyond the object's ${d.sizeBytes} bytes.`),
  object_key_invalid: spec<{ problem: string }>(422, false, (d) => `This is no object key: ${d.problem}.`),
  object_key_reserved: spec<{ key: string }>(
    422,
    false,
    (d) => `The key ${d.key} belongs to the library: store, presignedPut and delete work below unmanaged/.`,
  ),
  object_checksum_mismatch: spec<Record<string, never>>(422, false, () => 'The bytes do not have the SHA-256 that was announced.'),
  object_parts_changed: spec<Record<string, never>>(
    409,
    true,
    () => 'A part was sent again while the upload was being completed: complete it once more.',
  ),
  storage_refused: spec<{ operation: string; store: string; reason: string }>(
    500,
    false,
    (d) => `The storage ${d.store} refused to ${d.operation}: ${d.reason}.`,
  ),
  insufficient_disk_headroom: spec<{ neededBytes: number; freeBytes: number }>(
    503,
    true,
    (d) =>
      `The scratch folder has ${d.freeBytes} bytes free and this file needs ${d.neededBytes}: free some, or set scratchFolder to a larger disk.`,
  ),
  storage_failed: spec<{ operation: string; store: string }>(
    503,
    true,
    (d) => `The storage ${d.store} failed to ${d.operation}; try again.`,
  ),

  // Assets, slots, delivery
  asset_not_found: spec<{ assetId: string }>(404, false, (d) => `No asset ${d.assetId}.`),
  asset_not_available: spec<{ assetId: string; state: string; inGate: boolean }>(409, false, (d) =>
    d.inGate ? `Asset ${d.assetId} is still being checked; ask again in a moment.` : `Asset ${d.assetId} is ${d.state} and has no URL.`,
  ),
  variant_not_available: spec<{ assetId: string; variant: string; state: string }>(
    409,
    true,
    (d) => `Variant ${d.variant} of asset ${d.assetId} is ${d.state}, and browsers do not draw its original; ask again when it is ready.`,
  ),
  asset_not_attachable: spec<{ assetId: string; state: string }>(
    409,
    false,
    (d) =>
      `Asset ${d.assetId} is ${d.state}: attach takes an asset whose upload was verified, not one that is staged, quarantined or deleted.`,
  ),
  not_processing: spec<{ assetId: string; state: string }>(
    409,
    false,
    (d) => `Nothing is being made of asset ${d.assetId}, which is ${d.state}: there is nothing to cancel.`,
  ),
  asset_attached: spec<{ assetId: string; attachments: number }>(
    409,
    false,
    (d) => `Asset ${d.assetId} is attached ${d.attachments} times: detach it first, then purge.`,
  ),
  quarantine_not_releasable: spec<{ assetId: string; code: string }>(
    409,
    false,
    (d) => `Asset ${d.assetId} was refused with ${d.code}: a file that decoders cannot open safely is not released. Have it uploaded anew.`,
  ),
  quarantine_expired: spec<{ assetId: string }>(
    410,
    false,
    (d) => `The bytes of asset ${d.assetId} are not kept any more: have it uploaded anew.`,
  ),
  asset_profile_mismatch: spec<{ assetId: string; profile: string; slot: string; expected: string }>(
    422,
    false,
    (d) => `Slot ${d.slot} takes assets of profile ${d.expected}; asset ${d.assetId} is of ${d.profile}.`,
  ),
  asset_required: spec<{ slot: string }>(
    422,
    false,
    (d) => `Slot ${d.slot} holds many: say which asset, detach(owner, '${d.slot}', { asset }).`,
  ),
  slot_is_many: spec<{ slot: string }>(422, false, (d) => `Slot ${d.slot} holds many: use attachmentsFor.`),
  owner_invalid: spec<{ problem: string }>(422, false, (d) => `An owner is { type, id }: ${d.problem}.`),
  settled_timeout: spec<{ assetId: string; timeoutMs: number; state: string }>(
    504,
    true,
    (d) => `Asset ${d.assetId} was still ${d.state} after ${d.timeoutMs} ms; wait again, or look whether a worker runs.`,
  ),
  not_authorized: spec<{ action: string }>(403, false, (d) => `Not allowed: ${d.action}.`),
  delivery_unsupported: spec<{ capability: string; store: string }>(
    422,
    false,
    (d) => `The storage ${d.store} cannot do ${d.capability}, which this delivery needs.`,
  ),

  // HTTP door
  route_not_found: spec<Record<string, never>>(404, false, () => 'There is nothing at this address.'),
  method_not_allowed: spec<{ allowed: readonly string[] }>(405, false, (d) => `Use ${names(d.allowed)}.`),
  body_invalid: spec<{ problem: string }>(400, false, (d) => `The body cannot be used: ${d.problem}.`),
  body_type_unsupported: spec<Record<string, never>>(415, false, () => 'Send the body as application/json.'),
  body_consumed: spec<Record<string, never>>(
    500,
    false,
    () => 'The body of this request was read before it came here: mount the handler before express.json() and other body parsers.',
  ),
  internal_error: spec<Record<string, never>>(500, true, () => 'Something failed on our side; try again.'),

  // Verdicts of the gate: kept on the row, never thrown by upload or verifyCompletion
  upload_object_changed: spec<Record<string, never>>(
    422,
    false,
    () => 'The file in storage was replaced or removed after it was verified. Upload it again.',
  ),
  upload_checksum_mismatch: spec<Record<string, never>>(
    422,
    false,
    () => 'The bytes that arrived do not have the announced SHA-256. Upload the file again.',
  ),
  file_empty: spec<Record<string, never>>(422, false, () => 'The file is empty.'),
  type_unknown: spec<Record<string, never>>(422, false, () => 'The file is of no type that can be recognised.'),
  mime_not_allowed: spec<{ mime: string; allowed: readonly string[] }>(
    422,
    false,
    (d) => `This is really a file of type ${spokenType(d.mime)}, which is not taken here; what is taken: ${spoken(d.allowed)}.`,
  ),
  extension_not_allowed: spec<{ extension: string; allowed: readonly string[] }>(
    422,
    false,
    (d) => `Files ending in .${d.extension} are not taken here; allowed are ${names(d.allowed)}.`,
  ),
  extension_missing: spec<Record<string, never>>(422, false, () => 'The file name has no extension.'),
  extension_mime_mismatch: spec<{ extension: string; mime: string }>(
    422,
    false,
    (d) =>
      `The file name ends in .${d.extension}, but what is in it is ${spokenType(d.mime)}. Rename it, or save it again in the right format.`,
  ),
  max_bytes_exceeded: spec<{ maxBytes: number; actualBytes: number }>(
    422,
    false,
    (d) => `The file has ${d.actualBytes} bytes; at most ${d.maxBytes} are taken.`,
  ),
  max_pixels_exceeded: spec<{ pixels: number; maxPixels: number }>(
    422,
    false,
    (d) => `The picture has ${d.pixels} pixels; at most ${d.maxPixels} are taken. Make it smaller and try again.`,
  ),
  max_side_exceeded: spec<{ sidePixels: number; maxSidePixels: number }>(
    422,
    false,
    (d) => `One side of the picture has ${d.sidePixels} pixels; at most ${d.maxSidePixels} are taken. Make it smaller and try again.`,
  ),
  max_frames_exceeded: spec<{ frames: number; maxFrames: number }>(
    422,
    false,
    (d) => `The picture has ${d.frames} frames; at most ${d.maxFrames} are taken.`,
  ),
  decode_failed: spec<{ format: string }>(
    422,
    false,
    (d) => `The ${d.format} file is damaged or incomplete and cannot be opened. Save it again and upload it once more.`,
  ),
  decode_too_large: spec<{ neededBytes: number | null; maxDecodeBytes: number | null }>(
    422,
    false,
    (d) =>
      `Opening the file would take ${d.neededBytes === null ? 'more memory than is allowed' : `about ${d.neededBytes} bytes of memory; at most ${d.maxDecodeBytes} are allowed`}. Make it smaller and try again.`,
  ),
  max_duration_exceeded: spec<{ durationSeconds: number; maxDurationSeconds: number }>(
    422,
    false,
    (d) => `The file lasts ${d.durationSeconds} seconds; at most ${d.maxDurationSeconds} are taken. Cut it and try again.`,
  ),
  max_streams_exceeded: spec<{ streams: number; maxStreams: number }>(
    422,
    false,
    (d) =>
      `The file holds ${d.streams} streams of picture, sound and text; at most ${d.maxStreams} are taken. Save it with fewer and upload it once more.`,
  ),
  max_frame_rate_exceeded: spec<{ framesPerSecond: number; maxFramesPerSecond: number }>(
    422,
    false,
    (d) =>
      `The film has ${d.framesPerSecond} frames a second; at most ${d.maxFramesPerSecond} are taken. Save it with fewer and upload it once more.`,
  ),
  codec_not_allowed: spec<{ format: string; codec: string | null; allowed: readonly string[] | null }>(422, false, (d) =>
    d.allowed === null
      ? `The ${d.format} file is made with ${d.codec ?? 'a codec'}, which is not opened here. Save it as H.264 with AAC, or the sound alone as AAC or MP3, and upload it once more.`
      : `The ${d.format} file is made with ${d.codec ?? 'a codec'}; taken are ${d.allowed.join(', ')}. Save it as one of these and upload it once more.`,
  ),
  embedded_file_not_allowed: spec<{ format: string }>(
    422,
    false,
    (d) => `The ${d.format} file carries other files with it. Save it without them and upload it once more.`,
  ),
  external_reference: spec<{ format: string }>(
    422,
    false,
    (d) => `The ${d.format} file refers to something outside of itself. Save it with everything inside and upload it once more.`,
  ),
  metadata_not_removable: spec<{ format: string }>(
    422,
    false,
    (d) => `The ${d.format} file is built in a way that its location cannot be taken out of. Save it again and upload it once more.`,
  ),
  malware_found: spec<{ scanner: string; threat: string }>(
    422,
    false,
    (d) => `The scanner ${d.scanner} found ${d.threat} in this file; it is held back.`,
  ),
  scan_limit_exceeded: spec<{ scanner: string; maxBytes: number | null }>(
    422,
    false,
    (d) =>
      `The scanner ${d.scanner} cannot look through a file this large${d.maxBytes === null ? '' : ` (more than ${d.maxBytes} bytes)`}; it is held back.`,
  ),
  scanner_unavailable: spec<{ scanner: string; problem: string }>(
    503,
    true,
    (d) => `The scanner ${d.scanner} did not answer (${d.problem}); the file waits until it does.`,
  ),
  app_code_failed: spec<{ part: 'analyzer' | 'processor'; name: string; problem: string }>(
    500,
    true,
    (d) => `The app's ${d.part} ${d.name} failed (${d.problem}); the file is taken up again later.`,
  ),
  variant_failed: spec<{ variant: string }>(422, false, (d) => `The variant ${d.variant} could not be made from this file.`),
  processing_cancelled: spec<Record<string, never>>(
    409,
    false,
    () => 'It was stopped on purpose before it was made; requeueVariants has it made after all.',
  ),
  host_ephemeral: spec<{ host: string }>(
    503,
    true,
    (d) =>
      `Films and sound are not encoded on ${d.host}, where a process does not live long enough: run \`npx rindle work\` on a machine or in a container that stays.`,
  ),
  source_broken: spec<{ variant: string; atSeconds: number | null }>(
    422,
    false,
    (d) =>
      `The variant ${d.variant} could not be made: ${d.atSeconds === null ? 'too much of the file is damaged' : `the file is damaged after about ${d.atSeconds} s`}. Save it again and upload it once more.`,
  ),
  decoder_killed: spec<{ reason: string }>(
    422,
    false,
    (d) => `Opening the file ended the decoder (${d.reason}); it is not opened any more until someone looks.`,
  ),
  decoder_starved: spec<{ cpuSeconds: number; seconds: number }>(
    503,
    true,
    (d) =>
      `In ${d.seconds} seconds the decoder got ${d.cpuSeconds} seconds of CPU time, too few to look at the file. Let fewer files be processed at a time on this machine, or take one with more cores.`,
  ),
  decoder_unavailable: spec<{ problem: string }>(503, true, (d) => `No decoder could be started: ${d.problem}.`),
  worker_lost: spec<Record<string, never>>(
    422,
    false,
    () =>
      'Workers were lost over this file again and again, five times in a row or ten in all; it is not opened any more until someone looks.',
  ),
  lease_lost: spec<Record<string, never>>(409, true, () => 'The lease ran out before the work was done; another worker takes it over.'),
  original_missing: spec<Record<string, never>>(422, true, () => 'The original is no longer in storage.'),
} as const

export type ErrorCode = keyof typeof errorCatalog
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof errorCatalog)[C]['message']>[0]

/**
 * The only error this library throws on purpose. Branch on `code`, never on `message`; `switch (err.code)` narrows `err.details`
 * once `isRindleError` has said what `err` is.
 */
export class RindleError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'RindleError'
  readonly code: C
  readonly details: ErrorDetails<C>

  constructor(code: C, details: ErrorDetails<C>, options?: ErrorOptions & { readonly message?: string }) {
    super(options?.message ?? messageOf(code, details), options)
    this.code = code
    this.details = details
  }

  /** The HTTP status that the http door answers with. */
  get status(): number {
    return errorCatalog[this.code].status
  }

  /** True when the same call may succeed later although the caller changes nothing. */
  get retryable(): boolean {
    const details = this.details as Readonly<Record<string, unknown>>
    return errorCatalog[this.code].retryable || details['inGate'] === true
  }

  toJSON(): { code: C; message: string; details: ErrorDetails<C>; retryable: boolean } {
    return { code: this.code, message: this.message, details: this.details, retryable: this.retryable }
  }
}

/** The sentence that the catalogue has for this failure: what rows keep beside the code. */
export const messageOf = <C extends ErrorCode>(code: C, details: ErrorDetails<C>): string => {
  const { message } = errorCatalog[code] as unknown as ErrorSpec<ErrorDetails<C>>
  return message(details)
}

/** One member per code, so that `switch (err.code)` narrows `err.details`. */
export type AnyRindleError = { [C in ErrorCode]: RindleError<C> }[ErrorCode]

export const isRindleError = (err: unknown): err is AnyRindleError => err instanceof RindleError

/** The error for a verdict that a row keeps, in the sentence that was written then. */
export const recordedError = (problem: { readonly code: string; readonly message: string }, details: object): RindleError => {
  const code = Object.hasOwn(errorCatalog, problem.code) ? (problem.code as ErrorCode) : 'internal_error'
  return new RindleError<ErrorCode>(code, details as ErrorDetails<ErrorCode>, { message: problem.message })
}
