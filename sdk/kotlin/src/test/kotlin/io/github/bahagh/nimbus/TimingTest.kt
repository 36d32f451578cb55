package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.IOException
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

class TimingTest {
    /** Never answers: a request waits until it is broken off. */
    private val hanging = Transport { request ->
        val cancelled = CountDownLatch(1)
        request.onCancel { cancelled.countDown() }
        cancelled.await()
        throw IOException("broken off")
    }

    /** An outage of hours loses nothing: the pauses grow to their bound and stay there, and no two programs pause alike. */
    @Test
    fun `an outage is sat out`() {
        val time = FakeClock(runs = true)
        recorded({ clock = time; flushEvents = 1; minBackoff = Duration.ofSeconds(1); maxBackoff = Duration.ofMinutes(1) }) { sent ->
            sent.fail(*IntArray(400) { 503 })
            track("e")
            flush()
            assertEquals(1L to 400L, stats.delivered to stats.retries)
            var bound = 1000L
            time.waits.forEach {
                assertTrue(it <= bound, "a pause of $it ms, at most $bound")
                bound = minOf(2 * bound, 60_000)
            }
            assertTrue(time.waits.sum() > 3_600_000 && time.waits.toSet().size > 200)
        }
    }

    @Test
    fun `an attempt that hangs is broken off and repeated`() = scripted("""{"replies": [{"hold": true}]}""") {
        val x = tracker { requestTimeout = Duration.ofMillis(50) }
        x.track("e")
        x.flush()
        assertEquals(1L to true, x.stats.delivered to (x.stats.retries >= 1))
        release()
    }

    /** An answer that comes while close gives up counts: its error names exactly the events that were reported. */
    @Test
    fun `an event that is delivered while close gives up is not called undelivered`() {
        val recorder = Recorder()
        val asked = CountDownLatch(1)
        recorded({
            transport = Transport { request ->
                val cancelled = CountDownLatch(1)
                request.onCancel { cancelled.countDown() }
                asked.countDown()
                cancelled.await()
                recorder.send(request)
            }
            flushEvents = 1
        }) {
            track("e")
            asked.await()
            assertEquals(null, close(Duration.ZERO))
            assertEquals(listOf(1L, 0L, 0L), stats.let { listOf(it.delivered, it.dropped, it.waiting) })
        }
    }

    /** A batch that is being sent in halves when close gives up is reported whole: no event is passed over for another. */
    @Test
    fun `halves that are broken off are all reported`() {
        val recorder = Recorder().apply { fail(413) }
        val asked = CountDownLatch(2)
        recorded({
            transport = Transport { request ->
                val cancelled = CountDownLatch(1)
                request.onCancel { cancelled.countDown() }
                asked.countDown()
                if (asked.count == 1L) return@Transport recorder.send(request)
                cancelled.await()
                throw IOException("broken off")
            }
            flushEvents = 2
        }) {
            track("a", "b")
            asked.await()
            assertEquals(2, close(Duration.ZERO)?.count)
            assertEquals(listOf("a", "b"), dropped.map { it.first.name })
        }
    }

    /** A second caller of close may rely on the same as the first: everything is reported, and the spool is free. */
    @Test
    fun `a second close waits for the first`() {
        val reporting = CountDownLatch(1)
        val go = CountDownLatch(1)
        recorded({ transport = hanging; onDrop = OnDrop { _, _ -> reporting.countDown(); go.await() } }) {
            track("e")
            val first = CompletableFuture.supplyAsync { tracker.close(Duration.ZERO)?.count ?: 0 }
            reporting.await()
            var second: Thread? = null
            val returned = CompletableFuture<Int>()
            second = thread { returned.complete(tracker.close(Duration.ZERO)?.count ?: 0) }
            while (second.state != Thread.State.WAITING) assertTrue(second.isAlive, "it returned before the event was reported")
            go.countDown()
            assertEquals(1 to 0, first.get(60, TimeUnit.SECONDS) to returned.get(60, TimeUnit.SECONDS))
        }
    }

    /** After a 301, 302 or 303 a POST is repeated as a GET, without the events. A 307 and a 308 keep them. */
    @Test
    fun `only redirects that keep the events are followed`() {
        val to = """"headers": {"Location": "events?moved"}"""
        scripted("""{"replies": [{"status": 301, $to}, {"status": 302, $to}, {"status": 303, $to}, {"status": 307, $to}, {"status": 308, $to}]}""") {
            val x = tracker()
            x.track("a")
            x.flush()
            assertEquals(1L to 3L, x.stats.delivered to x.stats.retries)
            assertEquals(6, report().requests.size)
            assertTrue("nimbus: 301 Moved Permanently: redirected to events?moved" in x.log, x.log)
        }
        // Elsewhere the credentials are not for.
        scripted("""{"replies": [{"status": 307, "headers": {"Location": "http://localhost:1/v1/events"}}]}""") {
            val x = tracker()
            x.track("a")
            x.flush()
            assertEquals(1L to 1L, x.stats.delivered to x.stats.retries)
        }
    }

    @Test
    fun `a callback that throws harms nothing`() = recorded({ onDrop = OnDrop { _, _ -> error("theirs") }; logger = Logger { _, _ -> error("theirs") } }) { sent ->
        sent.fail(400)
        track("a")
        flush()
        track("b")
        flush()
        assertEquals(listOf("b"), sent.events.map { it.name })
    }

    /** However small the queue is, it is sent before an event has no room, and not only when the interval ends. */
    @Test
    fun `a full queue waits for nothing`() = recorded({ queueBytes = 64 shl 10; whenFull = FullPolicy.BLOCK }) {
        repeat(100) { taken(tracker.track("e", mapOf("text" to "x".repeat(320 * it)))) }
        flush()
        assertEquals(100, stats.delivered)
    }
}
