package io.github.bahagh.nimbus

import java.io.File
import java.net.URI
import java.time.Duration
import java.util.UUID
import java.util.concurrent.ThreadLocalRandom
import java.util.logging.Level
import java.util.logging.Logger as JavaLogger

/** What a call does when the queue is full. */
public enum class FullPolicy {
    /** Return a [QueueFullException]: the program goes on, and knows. */
    REFUSE,

    /** Make room by dropping the oldest event, which is reported to [Config.onDrop]. */
    DROP_OLDEST,

    /** Wait for room, until the thread is interrupted. Not on the main thread of an app. */
    BLOCK,
}

/** Sees an event before it is kept anywhere, may change it, and says whether it is to be sent. */
public fun interface BeforeSend {
    public fun keep(event: Event): Boolean
}

/** The same of an operation. */
public fun interface BeforeSendOperation {
    public fun keep(operation: Operation): Boolean
}

/** Gets each event that will not be stored. It must return soon, and not call flush or close. */
public fun interface OnDrop {
    public fun dropped(event: Event, why: NimbusException)
}

/** The same of operations. */
public fun interface OnDropOperation {
    public fun dropped(operation: Operation, why: NimbusException)
}

/** Gets failures and losses; with [Config.debug] also what is taken and stored. */
public fun interface Logger {
    public fun log(level: Level, message: String)
}

/**
 * Says where a [Tracker] sends events and how. [url], [projectId] and one kind of credentials are required; a tracker
 * takes a copy. In Kotlin name what you set; in Java use the setters.
 *
 * The credentials are those of the project. [keyId] and [secret] together sign every request. [secret] alone is sent
 * as it is, for networks that are trusted. [writeKey] is for programs that users can take apart, such as apps, in
 * which a secret is no secret.
 */
public class Config @JvmOverloads constructor(
    /** the server, such as https://nimbus.example.com; required */
    public var url: String,
    /** the project's UUID; required */
    public var projectId: String,
    /** the project's public key, for programs that cannot keep a secret, nw_…; a secret is required */
    public var writeKey: String? = null,
    /** the id of the key pair, nk_…, to sign each request with the secret; the secret is sent instead */
    public var keyId: String? = null,
    /** the project's secret, ns_…; a writeKey is required */
    public var secret: String? = null,
    /** a batch is due at so many events, and has no more, up to 10,000 and queueEvents; 500 */
    public var flushEvents: Int = 500,
    /** the same in bytes, 64 KiB to 10 MiB and up to a third of queueBytes; 1 MiB */
    public var flushBytes: Int = 1 shl 20,
    /** send an event after this time, whatever else waits; 1 s */
    public var flushInterval: Duration = Duration.ofSeconds(1),
    /** how many events may wait, besides those being sent; 10,000 */
    public var queueEvents: Int = 10_000,
    /** how many bytes they may have, at least 64 KiB; 32 MiB */
    public var queueBytes: Int = 32 shl 20,
    /** what a call does when the queue is full: REFUSE, DROP_OLDEST or BLOCK; REFUSE */
    public var whenFull: FullPolicy = FullPolicy.REFUSE,
    /** how long one attempt may wait, for the connection and for each part of the answer; 30 s */
    public var requestTimeout: Duration = Duration.ofSeconds(30),
    /** the longest first pause before another attempt, doubled each time; 200 ms */
    public var minBackoff: Duration = Duration.ofMillis(200),
    /** the longest pause of all; 30 s */
    public var maxBackoff: Duration = Duration.ofSeconds(30),
    /** how often to try before giving events up; for as long as it takes */
    public var maxAttempts: Int = 0,
    /** compress bodies of more bytes than this, negative for never; 1 KiB */
    public var compressAbove: Int = 1 shl 10,
    /** keeps undelivered events in this directory, by project; there is no spool */
    public var spoolDir: File? = null,
    /** how often the spool is forced to disk, negative for before each call returns; 1 s */
    public var spoolSync: Duration = Duration.ofSeconds(1),
    /** sends the requests: proxies, TLS, tracing; one on HttpURLConnection */
    public var transport: Transport = UrlTransport(),
    /** gets failures and losses, and no event; java.util.logging's nimbus */
    public var logger: Logger = defaultLogger,
    /** log what is taken, with all it says, and what is stored, as INFO; only failures are logged */
    public var debug: Boolean = false,
    /** may change an event before it is kept anywhere, or drop it by false; all are kept as they are */
    public var beforeSend: BeforeSend? = null,
    /** the same for operations; all are kept as they are */
    public var beforeSendOperation: BeforeSendOperation? = null,
    /** gets each event that will not be stored, with the reason; they are only logged */
    public var onDrop: OnDrop? = null,
    /** the same for operations; they are only logged */
    public var onDropOperation: OnDropOperation? = null,
) {
    internal var clock: Clock = Clock.System

    /** A random number from 0 to the bound, both included. */
    internal var random: (bound: Long) -> Long = { ThreadLocalRandom.current().nextLong(it + 1) }

    internal fun credentials(): Credentials {
        val secret = this.secret
        val keyId = this.keyId
        return when {
            !secret.isNullOrEmpty() && !keyId.isNullOrEmpty() -> Credentials.KeyPair(keyId, secret)
            !secret.isNullOrEmpty() -> Credentials.Secret(secret)
            else -> Credentials.WriteKey(writeKey.orEmpty())
        }
    }

    /** A copy in which everything is right, or an IllegalArgumentException that names every mistake. */
    internal fun complete(): Config {
        val bad = ArrayList<String>()
        fun need(fine: Boolean, what: String) {
            if (!fine) bad.add("nimbus: Config.$what")
        }
        val server = url.trimEnd('/')
        need(isServer(server), "url \"$url\" is not the http or https URL of a server")
        val project = try {
            UUID.fromString(projectId).toString().takeIf { it == projectId.lowercase() }
        } catch (_: IllegalArgumentException) {
            null
        }
        need(project != null, "projectId \"$projectId\" is not a UUID")
        val both = !writeKey.isNullOrEmpty() && !(keyId.isNullOrEmpty() && secret.isNullOrEmpty())
        need(!both, "writeKey and keyId or secret are set; it needs one of them")
        need(!(writeKey.isNullOrEmpty() && secret.isNullOrEmpty()), "credentials are missing: set keyId and secret, or secret, or writeKey")
        need(flushEvents in 1..MAX_BATCH_EVENTS, "flushEvents $flushEvents is not 1 to $MAX_BATCH_EVENTS")
        need(flushBytes in LEAST_BYTES..MAX_BATCH_BYTES, "flushBytes $flushBytes is not $LEAST_BYTES to $MAX_BATCH_BYTES")
        need(queueEvents >= 1, "queueEvents $queueEvents is not positive")
        need(queueBytes >= LEAST_BYTES, "queueBytes $queueBytes is less than $LEAST_BYTES, in which the largest event has room")
        need(!flushInterval.isNegative, "flushInterval is negative")
        need(requestTimeout > Duration.ZERO, "requestTimeout is not positive")
        need(!minBackoff.isNegative && maxBackoff >= minBackoff, "minBackoff is negative, or maxBackoff below it")
        need(maxAttempts >= 0, "maxAttempts $maxAttempts is negative")
        if (bad.isNotEmpty()) throw IllegalArgumentException(bad.joinToString("\n"))
        // A queue that is full must be due: in the other two thirds the largest event has room.
        val copy = Config(
            server, project.orEmpty(), writeKey, keyId, secret, minOf(flushEvents, queueEvents), minOf(flushBytes, queueBytes / 3), flushInterval,
            queueEvents, queueBytes, whenFull, requestTimeout, minBackoff, maxBackoff, maxAttempts, compressAbove, spoolDir, spoolSync,
            transport, logger, debug, beforeSend, beforeSendOperation, onDrop, onDropOperation,
        )
        copy.clock = clock
        copy.random = random
        return copy
    }

    private fun isServer(server: String): Boolean = try {
        val u = URI(server)
        (u.scheme == "http" || u.scheme == "https") && !u.host.isNullOrEmpty() && u.rawQuery == null && u.rawFragment == null
    } catch (_: java.net.URISyntaxException) {
        false
    }

    private companion object {
        const val MAX_BATCH_EVENTS = 10_000
        const val MAX_BATCH_BYTES = 10 shl 20
        val defaultLogger: Logger = JavaLogger.getLogger("nimbus").let { to -> Logger { level, message -> to.log(level, message) } }
    }
}

/** In so many bytes the largest event has room. */
internal const val LEAST_BYTES: Int = 64 shl 10
