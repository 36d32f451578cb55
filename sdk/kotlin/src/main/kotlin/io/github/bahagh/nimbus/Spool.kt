package io.github.bahagh.nimbus

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.channels.FileLock
import java.nio.channels.OverlappingFileLockException
import java.nio.file.StandardOpenOption
import java.time.Duration
import java.util.Timer
import java.util.TimerTask
import java.util.logging.Level
import java.util.zip.CRC32
import kotlin.concurrent.withLock

/**
 * A log of the waiting events of one project. It consists of segments, files that are only appended to and are
 * removed when the last of their events is settled. A segment is [HEAD] and records: the length and the CRC-32 of an
 * event, each in four bytes, then the event.
 *
 * A crash may tear the last record of a segment; reading stops there, and new events go to a new segment. An event
 * that was settled in a segment that was not yet removed is sent again by the next run, which its idempotency key
 * makes harmless.
 */
internal class Spool(private val dir: File, private val sync: Duration, private val log: (Level, String) -> Unit) {
    /** A file of the spool. */
    internal class Segment(val path: File) {
        var file: RandomAccessFile? = null // null unless it is the current one
        var size = 0L
        var left = 0 // events not settled
    }

    private val lock = java.util.concurrent.locks.ReentrantLock()
    private val lockFile: RandomAccessFile
    private var next = 0L // number of the next segment
    private var current: Segment? = null // null until the first event
    private var dirty = false
    private var closed = false
    private val timer: Timer?

    /** What an earlier run left, oldest first. */
    var found: List<Pair<ByteArray, Segment>> = emptyList()

    init {
        if (!dir.isDirectory && !dir.mkdirs()) throw IOException("nimbus: make the spool $dir: it cannot be made")
        lockFile = RandomAccessFile(File(dir, "lock"), "rw")
        try {
            if (exclusive() == null) throw IOException("nimbus: the spool $dir is in use")
            found = read()
        } catch (e: IOException) {
            lockFile.close()
            throw e
        }
        timer = if (sync.isNegative || sync.isZero) null else Timer("nimbus-spool", true)
    }

    /** The lock ends with the process at the latest: two trackers on one directory would remove each other's events. */
    private fun exclusive(): FileLock? = try {
        lockFile.channel.tryLock()
    } catch (_: OverlappingFileLockException) {
        null
    }

    private inner class Flush : TimerTask() {
        override fun run() = flush()
    }

    private fun read(): List<Pair<ByteArray, Segment>> {
        val all = ArrayList<Pair<ByteArray, Segment>>()
        for (path in dir.listFiles().orEmpty().filter { SEGMENT.matches(it.name) }.sortedBy { it.name }) {
            next = path.name.substringBefore('.').toLong(16) + 1
            val segment = Segment(path)
            val events = records(path.readBytes()) { log(Level.WARNING, "the last $it bytes of the spool segment $path are torn, as by a crash") }
            events.forEach { all.add(it to segment) }
            segment.left = events.size
            if (events.isEmpty()) remove(segment)
        }
        return all
    }

    /** The whole records of a segment. */
    private fun records(raw: ByteArray, torn: (Int) -> Unit): List<ByteArray> {
        val events = ArrayList<ByteArray>()
        var at = 0
        if (raw.size >= HEAD.size && raw.copyOf(HEAD.size).contentEquals(HEAD)) {
            at = HEAD.size
            while (raw.size - at >= RECORD_HEAD) {
                val head = ByteBuffer.wrap(raw, at, RECORD_HEAD)
                val size = head.int
                val sum = head.int
                if (size <= 0 || size > LEAST_BYTES || size > raw.size - at - RECORD_HEAD) break
                val event = raw.copyOfRange(at + RECORD_HEAD, at + RECORD_HEAD + size)
                // The checksum finds what a crash tore; bytes of another program must not break the batch they are sent in.
                if (checksum(event) != sum || !isObject(event)) break
                events.add(event)
                at += RECORD_HEAD + size
            }
        }
        if (at < raw.size) torn(raw.size - at)
        return events
    }

    private fun isObject(event: ByteArray): Boolean = try {
        Json.parse(event) is Map<*, *>
    } catch (_: JsonException) {
        false
    }

    private fun checksum(bytes: ByteArray): Int = CRC32().apply { update(bytes, 0, bytes.size) }.value.toInt()

    /** Writes an event. After an IOException it is not in the spool. */
    fun append(event: ByteArray): Segment = lock.withLock {
        current?.takeIf { it.size >= SEGMENT_BYTES }?.let { end(it) }
        val segment = current ?: start()
        val record = ByteBuffer.allocate(RECORD_HEAD + event.size).putInt(event.size).putInt(checksum(event)).put(event).array()
        val file = segment.file ?: throw IOException("the segment is closed")
        try {
            file.write(record)
            if (timer == null) file.fd.sync()
        } catch (e: IOException) {
            // Behind half a record nothing could be read again.
            try {
                file.setLength(segment.size)
                end(segment)
            } catch (more: IOException) {
                e.addSuppressed(more)
            }
            throw e
        }
        segment.size += record.size
        segment.left++
        if (!dirty) timer?.schedule(Flush(), sync.toMillis().coerceAtLeast(1)) // nothing wakes a phone that tracks nothing
        dirty = true
        segment
    }

    private fun start(): Segment {
        val segment = Segment(File(dir, String.format(java.util.Locale.ROOT, "%016x.events", next)))
        if (!segment.path.createNewFile()) throw IOException("${segment.path} is there already")
        next++
        val file = RandomAccessFile(segment.path, "rw")
        try {
            file.write(HEAD)
        } catch (e: IOException) {
            file.close()
            segment.path.delete()
            throw e
        }
        syncNames()
        segment.file = file
        segment.size = HEAD.size.toLong()
        current = segment
        return segment
    }

    /** Forces the names in the directory to disk, where that can be asked for: Windows cannot. */
    private fun syncNames() {
        try {
            FileChannel.open(dir.toPath(), StandardOpenOption.READ).use { it.force(true) }
        } catch (e: IOException) {
            log(Level.FINE, "the names in the spool are not forced to disk: $e")
        }
    }

    /** What comes goes to the next segment. */
    private fun end(segment: Segment) {
        current = null
        val file = segment.file
        segment.file = null
        file?.use { if (segment.left > 0) it.fd.sync() }
        if (segment.left == 0) remove(segment)
    }

    private fun remove(segment: Segment) {
        if (!segment.path.delete() && segment.path.exists()) throw IOException("${segment.path} cannot be removed")
    }

    /** Forces to disk what was written since the last time. */
    private fun flush() = lock.withLock {
        if (!dirty) return
        dirty = false
        try {
            current?.file?.fd?.sync()
        } catch (e: IOException) {
            log(Level.SEVERE, "the spool cannot be forced to disk: $e")
        }
        Unit
    }

    /** Forgets events. A segment without others is removed. */
    fun settle(items: List<Item>): Unit = lock.withLock {
        for (item in items) {
            val segment = item.segment ?: continue
            if (--segment.left > 0) continue
            try {
                if (segment === current) end(segment) else remove(segment)
            } catch (e: IOException) {
                log(Level.SEVERE, "a spool segment stays; its events will be sent again, and stored once: $e")
            }
        }
    }

    /** Forces everything to disk and lets others have the directory. */
    fun close(): Unit = lock.withLock {
        if (closed) return
        closed = true
        timer?.cancel()
        try {
            current?.let { end(it) }
        } catch (e: IOException) {
            log(Level.SEVERE, "close the spool: $e")
        }
        lockFile.close()
    }

    private companion object {
        val HEAD = "nimbus-jvm1\n".toByteArray()
        const val RECORD_HEAD = 8

        /** A full segment; the most that is sent again for one event. */
        const val SEGMENT_BYTES = 256L shl 10
        val SEGMENT = Regex("[0-9a-f]{16}\\.events")
    }
}
