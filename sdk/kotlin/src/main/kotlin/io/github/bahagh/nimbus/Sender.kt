package io.github.bahagh.nimbus

import java.io.ByteArrayOutputStream
import java.io.IOException
import java.time.Duration
import java.time.Instant
import java.util.logging.Level
import java.util.zip.GZIPOutputStream
import kotlin.concurrent.withLock

/** What a request carries: of either, only its own. */
private enum class Kind(val path: String, val noun: String, val allRejected: String) {
    EVENTS("/v1/events", "events", "all_events_rejected"),
    OPERATIONS("/v1/people/operations", "operations", "all_operations_rejected"),
}

private fun kindOf(items: List<Item>): Kind = if (items[0].isOperation) Kind.OPERATIONS else Kind.EVENTS

/** Delivers the batches of one tracker, in its thread. */
internal class Sender(private val tracker: Tracker) : Runnable {
    private val config = tracker.config
    private val clock = tracker.clock
    private val lock = tracker.lock
    private val credentials = config.credentials()

    /** Of a body; less than configured once the server has found one too large. */
    private var limit = config.flushBytes

    /** The server's clock minus ours, as far as it has said. */
    private var skew: Duration = Duration.ZERO

    /** Something on the way does not take compressed bodies. */
    private var plain = false

    override fun run() {
        while (true) {
            val batch = next() ?: return
            for (one in byKind(batch)) deliver(one)
        }
    }

    private fun over(): Boolean = lock.withLock { tracker.over }

    /** Cuts items, which are sorted by kind, into what one request may carry. */
    private fun byKind(items: List<Item>): List<List<Item>> {
        val (operations, events) = items.partition { it.isOperation }
        val batches = operations.chunked(MAX_OPERATIONS) + listOf(events).filter { it.isNotEmpty() }
        return batches.sortedBy { it[0].isOperation != items[0].isOperation } // stable
    }

    /**
     * Waits for a batch that is due and takes it from the queue. It returns null when the tracker is over, or closed
     * and empty.
     */
    private fun next(): List<Item>? = lock.withLock {
        while (!tracker.over) {
            val front = tracker.queue.peek()
            if (front == null) {
                if (tracker.closed) return null
                tracker.wake.awaitUninterruptibly()
                continue
            }
            val wait = front.queued + config.flushInterval.toNanos() - clock.nanos()
            val due = wait <= 0 || front.number <= tracker.flushTo || tracker.queue.size >= config.flushEvents || tracker.bytes >= limit
            if (due) return take()
            pause(wait)
        }
        null
    }

    /** Waits for so long at most. The caller holds the lock. */
    private fun pause(nanos: Long) {
        try {
            clock.await(tracker.wake, nanos)
        } catch (_: InterruptedException) {
            Thread.interrupted() // nobody may end this thread but close
        }
    }

    /**
     * Moves the oldest items from the queue to those in flight: as many as a request may carry, at least one. There
     * they are kind by kind, the one first that was there first: so a program that always tracks both sends two
     * requests and not one for each item. The order of operations among events means nothing to the server, which
     * goes by their time.
     */
    private fun take(): List<Item> {
        var size = HEAD_BYTES
        val taken = ArrayList<Item>()
        while (taken.size < config.flushEvents) {
            val item = tracker.queue.peek() ?: break
            size += item.json.size + 1
            if (taken.isNotEmpty() && size > limit) break
            tracker.queue.poll()
            tracker.bytes -= item.json.size
            taken.add(item)
        }
        tracker.inFlight = taken.sortedBy { it.isOperation != taken[0].isOperation } // stable
        tracker.broadcast(room = true)
        return tracker.inFlight
    }

    /**
     * Sends the items until the server has answered for each, or the tracker is over. Settled items leave those in
     * flight.
     */
    private fun deliver(items: List<Item>) {
        if (over()) return // the batch before may be in flight still, and they are settled in order
        val kind = kindOf(items)
        try {
            val result = attempts(items) ?: return // over: they stay in flight, and close reports them
            settle(items, FieldError.all(result["errors"]), null, (result["duplicates"] as? Number)?.toLong() ?: 0)
        } catch (e: ApiException) {
            when {
                e.status == 413 && items.size > 1 -> {
                    tracker.log(Level.WARNING, "the batch of ${items.size} ${kind.noun} is too large, so it is sent in halves: ${e.message}")
                    limit = minOf(limit, maxOf(items.sumOf { it.json.size } / 2, LEAST_BYTES))
                    val half = items.size / 2
                    deliver(items.subList(0, half))
                    deliver(items.subList(half, items.size))
                }
                e.code == kind.allRejected -> settle(items, e.errors, e, 0)
                else -> settle(items, emptyList(), e, 0)
            }
        } catch (e: NimbusException) {
            settle(items, emptyList(), e, 0)
        }
    }

    /**
     * Reports the refused and the lost items. Items with errors are rejected; the others delivered or, when there is
     * a loss, dropped.
     */
    private fun settle(items: List<Item>, errors: List<FieldError>, lost: NimbusException?, duplicates: Long) {
        val noun = kindOf(items).noun
        val bad = errors.filter { it.index in items.indices }.groupBy { it.index ?: 0 }.mapValues { (k, fields) ->
            RejectedException(fields.map { FieldError(it.pointer.removePrefix("/$noun/$k"), it.code, it.detail) })
        }
        items.forEachIndexed { k, item -> (bad[k] ?: lost)?.let { tracker.report(item, it) } }
        logSettled(items, bad, lost)
        tracker.spool?.settle(items)
        lock.withLock {
            val rest = (items.size - bad.size).toLong()
            val s = tracker.stats
            tracker.stats = s.copy(
                rejected = s.rejected + bad.size, dropped = s.dropped + if (lost != null) rest else 0,
                delivered = s.delivered + if (lost == null) rest else 0, duplicates = s.duplicates + if (lost == null) duplicates else 0,
            )
            tracker.inFlight = tracker.inFlight.drop(items.size) // halves are settled in order
            tracker.broadcast()
        }
    }

    private fun logSettled(items: List<Item>, bad: Map<Int, RejectedException>, lost: NimbusException?) {
        val noun = kindOf(items).noun
        val stored = if (lost == null) items.size - bad.size else 0
        val first = bad.minByOrNull { it.key }?.value
        val many = if (lost != null) items.size else bad.size
        if (many > 0) {
            tracker.log(Level.SEVERE, "$many of ${items.size} $noun will not be stored: ${(lost ?: first)?.message}")
        }
        if (config.debug && stored > 0) tracker.log(Level.INFO, "stored: $stored $noun")
    }

    private class Body(val bytes: ByteArray, val compressed: Boolean)

    /**
     * Sends the items as one batch and retries until the answer is a success or final. It returns null when the
     * tracker is over, and throws an [ApiException] that is final, or the failure of the last of
     * [Config.maxAttempts].
     */
    private fun attempts(items: List<Item>): Map<*, *>? {
        var body = body(items)
        var bound = config.minBackoff.toNanos()
        var corrected = false
        var attempt = 1
        while (true) {
            val failure = try {
                return attempt(items, body, attempt > 1)
            } catch (e: IOException) {
                NimbusException("nimbus: send: $e", e)
            } catch (e: NimbusException) {
                e
            } catch (e: RuntimeException) { // of a transport of the program
                NimbusException("nimbus: send: $e", e)
            }
            val refused = failure as? ApiException
            when {
                over() -> return null
                refused?.status == 415 && body.compressed -> {
                    plain = true
                    body = body(items)
                    tracker.log(Level.WARNING, "compressed bodies are not taken, so they are sent plain: ${failure.message}")
                    attempt++
                    continue
                }
                refused != null && refused.isFinal -> {
                    if (refused.code != "stale_timestamp" || corrected || refused.date == null) throw refused
                    corrected = true // if that does not help, nothing will
                    skew = Duration.between(clock.now(), refused.date)
                    tracker.log(Level.WARNING, "this machine's clock is behind by $skew; signing by the server's")
                    attempt++
                    continue
                }
                config.maxAttempts in 1..attempt ->
                    throw refused ?: NimbusException("nimbus: given up after $attempt attempts: ${failure.message}", failure)
            }
            // Full jitter: clients that failed at the same moment must not retry at the same moment.
            val asked = refused?.retryAfter ?: Duration.ZERO
            val wait = if (asked.isZero) config.random(bound) else asked.toNanos() + config.random(config.minBackoff.toNanos())
            bound = minOf(2 * bound, config.maxBackoff.toNanos())
            val next = "attempt ${attempt + 1} in ${wait / 1_000_000} ms"
            tracker.log(Level.WARNING, "${items.size} ${kindOf(items).noun} are not delivered yet; $next: ${failure.message}")
            if (!backOff(wait)) return null
            attempt++
        }
    }

    /** Waits, and says whether to go on. */
    private fun backOff(nanos: Long): Boolean = lock.withLock {
        val end = clock.nanos() + nanos
        while (!tracker.over) {
            val left = end - clock.nanos()
            if (left <= 0) return true
            pause(left)
        }
        false
    }

    /**
     * Made once, so that every attempt sends the same bytes; only after a 415 it is made again, without compression.
     */
    private fun body(items: List<Item>): Body {
        val out = ByteArrayOutputStream(HEAD_BYTES + items.sumOf { it.json.size + 1 })
        out.write("{\"project_id\":\"${config.projectId}\",\"${kindOf(items).noun}\":[".toByteArray())
        items.forEachIndexed { k, item ->
            if (k > 0) out.write(','.code)
            out.write(item.json)
        }
        out.write("]}".toByteArray())
        val bytes = out.toByteArray()
        if (plain || config.compressAbove < 0 || bytes.size <= config.compressAbove) return Body(bytes, false)
        val compressed = ByteArrayOutputStream(bytes.size / 4)
        Gzip(compressed).use { it.write(bytes) }
        return Body(compressed.toByteArray(), true)
    }

    private class Gzip(out: ByteArrayOutputStream) : GZIPOutputStream(out, 8 shl 10) {
        init {
            def.setLevel(java.util.zip.Deflater.BEST_SPEED)
        }
    }

    /** Sends a body once and returns the answer to it. */
    private fun attempt(items: List<Item>, body: Body, again: Boolean): Map<*, *> {
        val kind = kindOf(items)
        val url = config.url + kind.path
        val headers = LinkedHashMap<String, String>()
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = USER_AGENT
        if (body.compressed) headers["Content-Encoding"] = "gzip"
        headers += credentials.headers("POST", url, body.bytes, clock.now().plus(skew))
        val request = HttpRequest("POST", url, headers, body.bytes, config.requestTimeout)
        lock.withLock {
            if (tracker.over) throw ClosedException()
            tracker.sending = request
            val s = tracker.stats
            tracker.stats = s.copy(requests = s.requests + 1, retries = s.retries + if (again) 1 else 0)
        }
        try {
            return accounted(items, kind, config.transport.send(request))
        } finally {
            lock.withLock { tracker.sending = null }
        }
    }

    private fun accounted(items: List<Item>, kind: Kind, response: HttpResponse): Map<*, *> {
        val bytes = response.bytes(MAX_ANSWER)
        if (response.status != 200) throw ApiException.of(response.status, response.headers, bytes, now())
        val result = try {
            Json.parse(bytes) as? Map<*, *>
        } catch (_: JsonException) {
            null
        }
        fun count(name: String) = (result?.get(name) as? Number)?.toLong() ?: 0
        if (result == null || count("accepted") + count("duplicates") + count("rejected") != items.size.toLong()) {
            // Something else than Nimbus answered, and whether the events are stored is not known: they are sent again.
            val said = String(bytes, Charsets.UTF_8).take(200)
            throw NimbusException("nimbus: a 200 that does not account for ${items.size} ${kind.noun}: $said")
        }
        return result
    }

    private fun now(): Instant = clock.now()

    private companion object {
        /** Before and behind the items in a body. */
        const val HEAD_BYTES = 80

        /** Of a request. */
        const val MAX_OPERATIONS = 1000

        /**
         * Bounds an answer in bytes. The server names at most 12,000 mistakes of a batch, each by a pointer of at
         * most 512 characters, which take 4 KB when all are escaped. A lower bound would cut off such an answer, and
         * the batch would be sent again without end.
         */
        const val MAX_ANSWER = 64 shl 20
    }
}
