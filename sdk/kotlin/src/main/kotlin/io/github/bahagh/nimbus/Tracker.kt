package io.github.bahagh.nimbus

import java.security.SecureRandom
import java.time.Duration
import java.util.ArrayDeque
import java.util.logging.Level
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/** Counts events and operations together. At every moment tracked = delivered + rejected + dropped + waiting. */
public data class Stats(
    /** Taken, or found in the spool. */
    val tracked: Long = 0,
    /** The server has committed them. */
    val delivered: Long = 0,
    /** The server refused them for what they are. */
    val rejected: Long = 0,
    /** Will not be delivered: no room, a final error, the hook, or closed. */
    val dropped: Long = 0,
    val waiting: Long = 0,
    /** Not taken: invalid, no room, or closed. */
    val refused: Long = 0,
    /** Of the delivered: were there already. */
    val duplicates: Long = 0,
    /** Sent. */
    val requests: Long = 0,
    /** Of the requests: repetitions. */
    val retries: Long = 0,
)

/** What waits: an event or an operation. */
internal class Item(val json: ByteArray, val isOperation: Boolean, val number: Long, val queued: Long, val segment: Spool.Segment?)

/**
 * Sends events in the background, without loss. It is safe for concurrent use; make one for the whole program and
 * [close] it at the end.
 *
 * An event that was taken is delivered or reported to [Config.onDrop]. If the program dies first, the event is lost
 * with it, unless there is a spool. No event is stored twice, however often it is sent. Events are sent in the order
 * of the calls, one request at a time, by a daemon thread.
 *
 * The constructor throws an IllegalArgumentException that names every mistake in the configuration, and an
 * IOException when the spool cannot be used. With [Config.spoolDir] the tracker goes on with the events that an
 * earlier run left there.
 */
public class Tracker @Throws(java.io.IOException::class) constructor(config: Config) : Calls(), AutoCloseable {
    internal val config = config.complete()
    internal val clock = this.config.clock
    override val register = Register()

    /** Makes idempotency keys unique among all runs of all programs. */
    private val run = randomId()

    internal val lock = ReentrantLock()

    /** Tells the sender to look again. */
    internal val wake = lock.newCondition()

    /** Tells callers that events have left. */
    private val changed = lock.newCondition()

    // All below is guarded by the lock.
    internal val queue = ArrayDeque<Item>() // oldest first
    internal var bytes = 0 // of the queue
    internal var inFlight: List<Item> = emptyList() // being sent; older than the queue, and sorted by kind
    private var last = 0L // number of the newest event
    internal var flushTo = 0L // events up to this number are due now
    private var full = false // the queue was full since the sender last made room
    internal var closed = false // to new events
    internal var over = false // close gives up, or has ended: nothing is sent any more
    internal var sending: HttpRequest? = null
    internal var stats = Stats() // without what waits
    private var reporting = 0 // calls that have yet to report what they dropped
    private var ended = false // close has

    internal val spool: Spool? = this.config.spoolDir?.let {
        Spool(java.io.File(it, this.config.projectId), this.config.spoolSync, this::log)
    }
    private val sender: Thread

    init {
        spool?.let { s ->
            s.found.forEach { (json, segment) ->
                val isOperation = String(json, Charsets.UTF_8).startsWith(OPERATION_HEAD)
                queue.add(Item(json, isOperation, ++last, clock.nanos(), segment))
                bytes += json.size
            }
            stats = stats.copy(tracked = last)
            s.found = emptyList()
        }
        sender = Thread(Sender(this), "nimbus").apply { isDaemon = true }
        sender.start()
    }

    /** A person who uses this program, such as an app or a command, whose events the tracker sends. */
    @JvmOverloads
    public fun visitor(store: Store = MemoryStore(), sessionTimeout: Duration = Duration.ofMinutes(30)): Visitor =
        Visitor(this, store, sessionTimeout)

    /** Is [track] for an [Event]. It sets [Event.ts] and [Event.idempotencyKey] where there are none. */
    public fun enqueue(event: Event): NimbusException? = event(event.copy())

    /** Queues an [Operation]. It sets [Operation.ts] and [Operation.idempotencyKey] where there are none. */
    public fun change(operation: Operation): NimbusException? = operation(operation.copy())

    override fun event(event: Event): NimbusException? {
        val e = event
        e.ts = e.ts ?: clock.now()
        e.props = register.under(e.props)
        config.beforeSend?.let { hook ->
            val why = asks { hook.keep(e) }
            if (why != null) return hide(why) { config.onDrop?.dropped(e, it) }
            e.ts = e.ts ?: clock.now()
        }
        return put(e.idempotencyKey.isNullOrEmpty(), false) { it.event(e) }
    }

    override fun operation(operation: Operation): NimbusException? {
        val o = operation
        o.ts = o.ts ?: clock.now()
        config.beforeSendOperation?.let { hook ->
            val why = asks { hook.keep(o) }
            if (why != null) return hide(why) { config.onDropOperation?.dropped(o, it) }
            o.ts = o.ts ?: clock.now()
        }
        return put(o.idempotencyKey.isNullOrEmpty(), true) { it.operation(o) }
    }

    /** Why the hook drops something, null when it does not. */
    private fun asks(keeps: () -> Boolean): BeforeSendException? = try {
        if (keeps()) null else BeforeSendException()
    } catch (e: Exception) {
        log(Level.WARNING, "the hook before sending threw $e, so what it was given is dropped")
        BeforeSendException(e)
    }

    /** Counts and reports what the program dropped before it was queued. */
    private fun hide(why: NimbusException, report: (NimbusException) -> Unit): NimbusException? {
        lock.withLock { stats = stats.copy(tracked = stats.tracked + 1, dropped = stats.dropped + 1) }
        calling { report(why) }
        return null
    }

    /** Runs what the program gave us: if it throws, that is logged, and nothing else happens. */
    private fun calling(theirs: () -> Unit) {
        try {
            theirs()
        } catch (e: Exception) {
            log(Level.WARNING, "a callback threw $e")
        }
    }

    /** Queues what is encoded. Without a key of its own it gets one. */
    private fun put(keyless: Boolean, isOperation: Boolean, encode: (Encoder) -> String): NimbusException? {
        val head = try {
            encode(Encoder()).toByteArray()
        } catch (e: RejectedException) {
            return refuse(e)
        }
        var dropped: List<Item> = emptyList()
        var filled = false
        var json = head
        val refused: NimbusException?
        lock.lock()
        try {
            val room = makeRoom(head.size + KEY_BYTES)
            dropped = room.dropped
            filled = room.filled
            // The key has the number of the item, which is known only when there is room.
            json += (if (keyless) ",\"idempotency_key\":\"$run-${(last + 1).toString(36)}\"}" else "}").toByteArray()
            refused = room.refused ?: add(json, isOperation)
            if (dropped.isNotEmpty()) reporting++ // close waits until they are reported
        } finally {
            lock.unlock()
        }
        if (filled) logFull()
        if (dropped.isNotEmpty()) {
            reportDropped(dropped, QueueFullException())
            lock.withLock {
                reporting--
                changed.signalAll()
            }
        }
        if (refused != null) return refuse(refused)
        if (config.debug) log(Level.INFO, "taken: " + String(json, Charsets.UTF_8))
        return null
    }

    private class Room(val dropped: List<Item> = emptyList(), val filled: Boolean = false, val refused: NimbusException? = null)

    /** Makes or awaits room for an event of so many bytes, as [Config.whenFull] says. The caller holds the lock. */
    private fun makeRoom(size: Int): Room {
        val dropped = ArrayList<Item>()
        var filled = false
        while (true) {
            if (closed) return Room(dropped, filled, ClosedException())
            if (queue.size < config.queueEvents && bytes + size <= config.queueBytes) return Room(dropped, filled)
            filled = filled || !full
            full = true
            when (config.whenFull) {
                FullPolicy.REFUSE -> return Room(dropped, filled, QueueFullException())
                FullPolicy.DROP_OLDEST -> {
                    val oldest = queue.poll()
                    dropped.add(oldest)
                    bytes -= oldest.json.size
                    stats = stats.copy(dropped = stats.dropped + 1)
                    changed.signalAll()
                }
                FullPolicy.BLOCK -> try {
                    changed.await()
                } catch (e: InterruptedException) {
                    Thread.currentThread().interrupt()
                    return Room(dropped, filled, NimbusException("nimbus: interrupted while the queue was full", e))
                }
            }
        }
    }

    /** Adds to the queue what has room. The caller holds the lock. */
    private fun add(json: ByteArray, isOperation: Boolean): NimbusException? {
        val segment = try {
            spool?.append(json)
        } catch (e: java.io.IOException) {
            return NimbusException("nimbus: write the event to the spool: ${e.message}", e)
        }
        queue.add(Item(json, isOperation, ++last, clock.nanos(), segment))
        bytes += json.size
        stats = stats.copy(tracked = stats.tracked + 1)
        if (queue.size == 1 || queue.size == config.flushEvents || bytes >= config.flushBytes) wake.signal()
        return null
    }

    /** Counts and logs what was not taken. */
    override fun refuse(why: NimbusException): NimbusException {
        lock.withLock { stats = stats.copy(refused = stats.refused + 1) }
        if (why !is QueueFullException) log(Level.WARNING, "not taken: ${why.message}") // a full queue is logged once each time it fills
        return why
    }

    /** Under BLOCK a full queue is what was asked for, so it is no warning. */
    private fun logFull() {
        log(if (config.whenFull == FullPolicy.BLOCK) Level.FINE else Level.WARNING, "the queue of events is full")
    }

    /** A logger of the program must not end the sender. */
    internal fun log(level: Level, message: String) {
        try {
            config.logger.log(level, "nimbus: " + message.removePrefix("nimbus: "))
        } catch (_: Exception) {
            return // there is nobody left to tell
        }
    }

    /** Tells the program that an item will not be stored. */
    internal fun report(item: Item, why: NimbusException) {
        val json = Json.parse(item.json) as Map<*, *> // it was encoded by us
        calling {
            if (item.isOperation) config.onDropOperation?.dropped(Decoder.operation(json), why)
            else config.onDrop?.dropped(Decoder.event(json), why)
        }
    }

    /** Reports events and removes them from the spool. The caller counts them. */
    private fun reportDropped(items: List<Item>, why: NimbusException) {
        items.forEach { report(it, why) }
        spool?.settle(items)
    }

    /** There is room, or events have left. The caller holds the lock. */
    internal fun broadcast(room: Boolean = false) {
        if (room) full = false
        changed.signalAll()
    }

    /**
     * Sends everything tracked before the call, without waiting for more, and returns null when the server has
     * answered for each of these events. Refused events were reported to [Config.onDrop]; they are no error here. A
     * timeout of null is none.
     *
     * When the time ends first, or the thread is interrupted, it returns an [UndeliveredException]; the events stay
     * queued, and the tracker goes on trying.
     */
    @JvmOverloads
    public fun flush(timeout: Duration? = null): UndeliveredException? {
        val target = lock.withLock {
            flushTo = maxOf(flushTo, last)
            wake.signal()
            last
        }
        return await(target, timeout)
    }

    /** Waits until no event up to number waits any more. */
    private fun await(number: Long, timeout: Duration?): UndeliveredException? = lock.withLock {
        val end = timeout?.let { clock.nanos() + it.toNanos() }
        var interrupted: InterruptedException? = null
        while (true) {
            val left = queue.count { it.number <= number } + inFlight.count { it.number <= number }
            if (left == 0) break
            val nanos = if (end == null) Long.MAX_VALUE else end - clock.nanos()
            if (nanos <= 0 || interrupted != null) return UndeliveredException(left, spool != null, interrupted)
            try {
                if (end == null) changed.await() else clock.await(changed, nanos)
            } catch (e: InterruptedException) {
                Thread.currentThread().interrupt()
                interrupted = e
            }
        }
        null
    }

    /** Is [close] with 30 seconds, whose failure is only logged: for `use` and try-with-resources. */
    override fun close() {
        close(Duration.ofSeconds(30))?.let { log(Level.WARNING, it.message.orEmpty()) }
    }

    /**
     * Refuses new events, delivers those that wait, and ends the tracker. When the time ends first it gives up: it
     * breaks the request in flight off, reports each event left to [Config.onDrop] with a [NotDeliveredException],
     * and returns an [UndeliveredException] with their number. With a spool they are not dropped but stay in it, for
     * the project's next tracker on the directory.
     *
     * Closing again returns null, when the first close has ended.
     */
    public fun close(timeout: Duration): UndeliveredException? {
        lock.withLock {
            if (closed) {
                while (!ended) changed.awaitUninterruptibly()
                return null
            }
            closed = true
            flushTo = last
            wake.signal()
            changed.signalAll() // callers that wait for room
        }
        await(last, timeout)
        val cancelled = lock.withLock {
            over = true
            wake.signal()
            sending
        }
        cancelled?.cancel()
        join()
        try {
            return end()
        } finally {
            lock.withLock {
                ended = true
                changed.signalAll()
            }
        }
    }

    /** Waits for the sender, however often this thread is interrupted meanwhile: what it does at last is counted. */
    private fun join() {
        var interrupted = false
        while (true) {
            try {
                sender.join()
                break
            } catch (_: InterruptedException) {
                interrupted = true
            }
        }
        if (interrupted) Thread.currentThread().interrupt()
    }

    /** What is left when the sender has ended. The answer may have come while the request was broken off. */
    private fun end(): UndeliveredException? {
        val left: List<Item>
        lock.withLock {
            while (reporting > 0) changed.awaitUninterruptibly()
            left = (inFlight + queue).sortedBy { it.number } // a batch is in flight kind by kind
            if (spool == null) {
                inFlight = emptyList()
                queue.clear()
                bytes = 0
                stats = stats.copy(dropped = stats.dropped + left.size)
            }
        }
        if (spool == null) reportDropped(left, NotDeliveredException()) else spool.close()
        return if (left.isEmpty()) null else UndeliveredException(left.size, spool != null, null)
    }

    /** The counts up to now. */
    public fun stats(): Stats = lock.withLock { stats.copy(waiting = (queue.size + inFlight.size).toLong()) }

    private companion object {
        /** Of a key that is made here. */
        const val KEY_BYTES = 64
    }
}

/** 128 random bits. */
internal fun randomId(): String {
    val bytes = ByteArray(16)
    SecureRandom().nextBytes(bytes)
    return java.math.BigInteger(1, bytes).toString(36)
}
