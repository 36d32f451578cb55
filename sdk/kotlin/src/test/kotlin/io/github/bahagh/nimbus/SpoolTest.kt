package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.io.IOException
import java.time.Duration
import java.time.Instant

class SpoolTest {
    @TempDir
    lateinit var temp: File

    private val nowhere = Transport { throw IOException("nowhere") }
    private val silent = Logger { _, _ -> }

    /** Leaves a spool with these events behind, none of which was delivered. */
    private fun abandoned(dir: File, vararg names: String) {
        val x = Tracker(Config("http://nowhere", PROJECT, secret = "s", spoolDir = dir, spoolSync = Duration.ofMillis(-1), transport = nowhere, logger = silent))
        names.forEach { taken(x.track(it, mapOf("text" to "x".repeat(100)), Options(ts = Instant.parse("2026-01-15T10:30:00Z"), idempotencyKey = "key-$it"))) }
        val left = x.close(Duration.ZERO)
        assertEquals(names.size to true, left?.count to left?.spooled)
        assertEquals(names.size.toLong() to 0L, x.stats().waiting to x.stats().dropped)
    }

    private fun segments(dir: File) = File(dir, PROJECT).listFiles().orEmpty().filter { it.name.endsWith(".events") }

    /** A spool with this segment. */
    private fun planted(name: String, segment: ByteArray): File {
        val dir = File(temp, name)
        File(dir, PROJECT).mkdirs()
        File(dir, "$PROJECT/0000000000000000.events").writeBytes(segment)
        return dir
    }

    /** What a new tracker on the directory sends. */
    private fun resumed(dir: File): List<String> {
        val recorder = Recorder()
        val x = Tracker(Config("http://recorder", PROJECT, secret = "s", spoolDir = dir, transport = recorder, logger = silent))
        x.close()
        assertEquals(0, segments(dir).size, "delivered, and still there")
        return recorder.events.map { it.name } + recorder.operations.map { brief(it) }
    }

    @Test
    fun `a spool is sent by the next tracker`() {
        val dir = File(temp, "made/on/the/way")
        abandoned(dir, "a", "b")
        assertEquals(listOf("a", "b"), resumed(dir))
        assertEquals(emptyList<String>(), resumed(dir))
    }

    /** A crash tears the last record at any byte: every whole record before it is sent, and nothing else. */
    @Test
    fun `a torn spool gives its whole records`() {
        val dir = File(temp, "whole")
        abandoned(dir, "a", "b", "c")
        val whole = segments(dir).single().readBytes()
        val head = "nimbus-jvm1\n".length
        val record = (whole.size - head) / 3
        fun want(at: Int) = maxOf(0, at - head) / record
        for (cut in whole.indices step 29) assertEquals(want(cut), resumed(planted("cut$cut", whole.copyOf(cut))).size, "cut at $cut of ${whole.size}")
        // And a byte that flips, as on a bad disk, ends the segment there.
        for (at in whole.indices step 37) {
            val bad = whole.clone().also { it[at] = (it[at].toInt() xor 0x20).toByte() }
            assertEquals(want(at), resumed(planted("flip$at", bad)).size, "byte $at flipped")
        }
    }

    /** Segments do not say whose their events are: where they lie does. */
    @Test
    fun `a spool keeps the events of projects apart`() {
        abandoned(temp, "a", "b")
        val other = Recorder()
        Tracker(Config("http://recorder", "22222222-2222-4222-8222-222222222222", secret = "s", spoolDir = temp, transport = other)).close()
        assertEquals(0, other.requests)
        assertEquals(listOf("a", "b"), resumed(temp))
    }

    @Test
    fun `a spool has one tracker`() {
        val config = Config("http://recorder", PROJECT, secret = "s", spoolDir = temp, transport = Recorder())
        Tracker(config).use {
            assertTrue("in use" in assertThrows(IOException::class.java) { Tracker(config) }.message.orEmpty())
        }
        Tracker(config).close() // and the next may have it
    }

    /** What is delivered leaves the disk, so that a spool has the size of what waits. */
    @Test
    fun `a spool is bounded by what waits`() = recorded({ spoolDir = temp }) { sent ->
        var most = 0
        repeat(10) {
            repeat(50) { taken(tracker.track("e", mapOf("text" to "x".repeat(2000)))) }
            most = maxOf(most, segments(temp).size)
            flush()
        }
        assertEquals(500, sent.events.size)
        assertEquals(0, segments(temp).size)
        assertTrue(most <= 2, "$most segments at once")
    }

    @Test
    fun `an event that cannot be spooled is refused`() {
        val dir = File(temp, "spool")
        recorded({ spoolDir = dir }) {
            dir.deleteRecursively() // a disk that went away
            assertTrue("spool" in tracker.track("e")?.message.orEmpty())
            assertEquals(1L to 0L, stats.refused to stats.tracked)
        }
    }

    @Test
    fun `operations are spooled among events`() {
        val x = Tracker(Config("http://nowhere", PROJECT, secret = "s", spoolDir = temp, transport = nowhere, logger = silent))
        listOf(x.track("a"), x.setPeople(mapOf("plan" to "pro"), Options("ada")), x.track("b"), x.deletePerson(Options("bob"))).forEach { taken(it) }
        assertEquals(4, x.close(Duration.ZERO)?.count)
        assertEquals(listOf("a", "b", """set ada {"plan":"pro"}""", "delete bob"), resumed(temp))
    }
}
