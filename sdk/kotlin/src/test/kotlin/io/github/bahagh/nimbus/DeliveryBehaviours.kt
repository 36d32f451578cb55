package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import java.nio.file.Files
import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

private val never: Duration = Duration.ZERO // no time to wait
private fun problem(status: Int, code: String, more: String = "") =
    """{"status": $status, "body": {"type":"t","title":"t","status":$status,"detail":"d","request_id":"r","code":"$code"$more}}"""

private fun retries(replies: String) = scripted("""{"replies": [$replies]}""") {
    val x = tracker()
    x.track("a", "b")
    x.flush()
    val got = report()
    assertTrue(got.requests.size >= 2)
    assertEquals(2, got.stored.size)
    got.requests.forEach {
        assertEquals("a b", it.names)
        assertEquals("valid", it.signature)
    }
    assertEquals(2, x.stats.delivered)
    // HttpURLConnection sends again by itself, once, what a connection that broke did not answer.
    assertTrue(x.stats.retries in 1 until got.requests.size, "${x.stats.retries} of ${got.requests.size}")
    assertEquals(0, x.dropped.size)
}

private fun isFinal(status: Int, code: String) = scripted("""{"replies": [${problem(status, code)}]}""") {
    val x = tracker()
    x.track("a", "b")
    x.flush()
    assertEquals(listOf("a", "b"), x.dropped.map { it.first.name })
    val why = isA<ApiException>(x.dropped[1].second)
    assertEquals(code to status, why.code to why.status)
    assertEquals(2, x.stats.dropped)
    assertEquals(1, report().requests.size)
    assertTrue(code in x.log, x.log)
}

private fun compresses(large: Boolean) = scripted {
    val x = tracker()
    taken(x.tracker.track("e", mapOf("text" to if (large) "long ".repeat(400) else "short")))
    x.flush()
    val r = report("requests=1").requests[0]
    assertEquals(if (large) "gzip" else null, r.headers["content-encoding"])
    assertEquals(large, r.bodyBytes < r.text.length)
    assertEquals(1, r.events.size)
}

private const val PAGE = """"headers": {"Content-Type": "text/html"}, "body": "<h1>default backend - 404</h1>""""
private const val PLAIN_JSON = """"headers": {"Content-Type": "application/json"}"""

/** What every SDK does when it delivers, by the names of testvectors/behaviours.json. */
val ofDelivery: Map<String, () -> Unit> = mapOf(
    "sends_what_was_tracked" to {
        scripted {
            val x = tracker()
            val at = Instant.parse("2026-01-15T10:30:00.123456Z")
            val props = mapOf("page" to "/ü", "n" to 1.5, "deep" to mapOf("list" to listOf(1L)), "none" to null)
            taken(x.tracker.track("page_view", props, Options("u", "a", ts = at, seq = 7, idempotencyKey = "k")))
            taken(x.tracker.enqueue(Event("plain", ts = at)))
            x.flush()
            val r = report("requests=1").requests[0]
            assertEquals(PROJECT, r.projectId)
            assertTrue(r.path.endsWith("/v1/events"))
            assertEquals("application/json", r.headers["content-type"])
            assertTrue((r.headers["user-agent"] as String).startsWith("nimbus-kotlin/"))
            assertEquals(props, r.events[0].props)
            assertEquals(Event("page_view", null, "u", "a", at, "k", 7), r.events[0].copy(props = null))
            assertEquals(Event("plain", ts = at), r.events[1].copy(idempotencyKey = null))
        }
    },
    "sends_in_order" to {
        scripted("""{"replies": [{}, {"status": 503}]}""") {
            val x = tracker { flushEvents = 7 }
            val want = (0 until 30).map { it.toString() }
            want.forEach { taken(x.tracker.track("e", null, Options(idempotencyKey = it))) }
            x.flush()
            assertEquals(want, report().stored)
        }
    },
    "takes_ts_at_the_call" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker { flushEvents = 1 }
            x.track("first")
            report("waiting=1")
            val before = Instant.now().minusNanos(1000)
            x.track("second")
            val after = Instant.now()
            release()
            x.flush()
            val second = report("requests=2").requests[1]
            val ts = second.events[0].ts!!
            assertTrue(ts in before..after && ts < second.receivedAt, "$ts")
        }
    },
    "gives_each_event_an_idempotency_key" to {
        scripted {
            val x = tracker()
            val other = tracker()
            x.track("a", "a", "a")
            other.track("a", "a", "a")
            taken(x.tracker.track("b", null, Options(idempotencyKey = "mine")))
            x.flush()
            other.flush()
            val stored = report("requests=2").stored
            assertEquals(7, stored.toSet().size)
            assertTrue("mine" in stored)
        }
    },
    "props_are_taken_at_the_call" to {
        scripted {
            val x = tracker()
            val list = mutableListOf(1)
            val props = mutableMapOf<String, Any?>("n" to 1, "list" to list)
            taken(x.tracker.track("e", props))
            props["n"] = 2
            list[0] = 2
            x.flush()
            assertEquals(mapOf("n" to 1L, "list" to listOf(1L)), report("requests=1").requests[0].events[0].props)
        }
    },
    "flushes_by_count" to {
        scripted {
            tracker { flushEvents = 3 }.track("a", "b", "c", "d", "e", "f", "g")
            assertEquals(listOf("a b c", "d e f"), report("requests=2").requests.map { it.names })
        }
    },
    "flushes_by_bytes" to {
        scripted {
            val limit = 64 shl 10
            val x = tracker { flushBytes = limit; compressAbove = -1 }
            repeat(5) { taken(x.tracker.track("e", mapOf("text" to "x".repeat(30_000)))) }
            report("requests=2").requests.forEach {
                assertEquals(2, it.events.size)
                assertTrue(it.bodyBytes <= limit)
            }
        }
    },
    "flushes_by_time" to {
        val time = FakeClock()
        scripted {
            tracker { clock = time; flushInterval = Duration.ofSeconds(50) }.track("alone")
            time.pass(Duration.ofSeconds(49))
            assertEquals(0, report().requests.size)
            time.pass(Duration.ofSeconds(1))
            assertEquals("alone", report("requests=1").requests[0].names)
        }
    },
    "flush_with_no_events_sends_nothing" to {
        scripted {
            val x = tracker()
            x.flush()
            x.tracker.close()
            assertEquals(0, report().requests.size)
        }
    },
    "flush_waits_for_the_answer" to {
        scripted("""{"replies": [{"status": 503}, {"hold": true}]}""") {
            val x = tracker()
            x.track("a")
            val flushed = CompletableFuture.supplyAsync { listOf(x.tracker.flush()) }
            report("requests=1&waiting=1")
            assertTrue(!flushed.isDone, "it returned before the answer")
            release()
            assertEquals(listOf(null), flushed.get(60, TimeUnit.SECONDS))
            assertEquals(Stats(tracked = 1, delivered = 1, requests = 2, retries = 1), x.stats)
        }
    },
    "flush_gives_up_with_its_caller" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker()
            x.track("a", "b")
            val said = CompletableFuture<UndeliveredException?>()
            val caller = thread { said.complete(x.tracker.flush()) }
            report("waiting=1")
            caller.interrupt()
            val left = said.get(60, TimeUnit.SECONDS)
            assertEquals(2, left?.count)
            isA<InterruptedException>(left?.cause)
            assertEquals(2, x.tracker.flush(never)?.count)
            assertEquals(2L to 0L, x.stats.waiting to x.stats.dropped)
            release()
            x.flush()
            assertEquals(2, report().stored.size)
        }
    },
    "close_flushes" to {
        scripted("""{"replies": [{"status": 503}]}""") {
            val x = tracker()
            x.track("a", "b")
            repeat(2) { x.tracker.close() }
            assertEquals(2, report().stored.size)
        }
    },
    "close_says_how_many_were_not_delivered" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker { flushEvents = 2 }
            x.track("a", "b", "c")
            report("waiting=1")
            val left = x.tracker.close(never)
            assertEquals(3, left?.count)
            assertEquals(false, left?.spooled)
            assertEquals(listOf("a", "b", "c"), x.dropped.map { it.first.name })
            x.dropped.forEach { isA<NotDeliveredException>(it.second) }
            assertEquals(3L to 0L, x.stats.dropped to x.stats.waiting)
        }
    },
    "track_after_close_is_refused" to {
        scripted {
            val x = tracker()
            x.tracker.close()
            isA<ClosedException>(x.tracker.track("late"))
            assertEquals(Stats(refused = 1), x.stats)
            assertEquals(0, report().requests.size)
        }
    },
    "retries_on_503" to { retries("""{"status": 503}""") },
    "retries_on_500" to { retries("""{"status": 500}, {"status": 502}, {"status": 504}""") },
    "retries_on_429" to { retries("""{"status": 429}""") },
    "retries_on_408" to { retries("""{"status": 408}""") },
    "retries_on_network_error" to { retries("""{"drop": "before", "times": 3}""") },
    "a_lost_answer_doubles_nothing" to {
        scripted("""{"replies": [{"drop": "after", "times": 2}]}""") {
            val x = tracker()
            x.track("a", "b")
            x.flush()
            val got = report()
            assertEquals(3 to 2, got.requests.size to got.stored.size)
            assertEquals(2L to 2L, x.stats.delivered to x.stats.duplicates)
        }
    },
    "does_not_retry_on_400" to { isFinal(400, "malformed_json") },
    "does_not_retry_on_401" to { isFinal(401, "invalid_key") },
    "does_not_retry_on_403" to { isFinal(403, "insufficient_scope") },
    "final_on_a_problem_json_404" to { isFinal(404, "not_found") },
    "does_not_retry_on_422" to { isFinal(422, "validation_failed") },
    "retries_a_404_that_nimbus_did_not_write" to {
        retries(
            listOf(404, 400, 401, 403, 415).joinToString { """{"status": $it, $PAGE}""" } +
                """, {"status": 404, $PLAIN_JSON, "body": {"code": "not_found", "status": 404}},
                {"status": 404, "body": {"type": "about:blank", "title": "Not found", "status": 404}}""",
        )
    },
    "goes_on_after_a_final_error" to {
        scripted("""{"replies": [{"status": 400}]}""") {
            val x = tracker()
            x.track("a")
            x.flush()
            x.track("b")
            x.flush()
            assertEquals("b", report().requests[1].names)
            assertEquals(1, report().stored.size)
        }
    },
    "respects_retry_after" to {
        val time = FakeClock(runs = true)
        val after = """"headers": {"Retry-After": "7"}"""
        scripted("""{"replies": [{"status": 503, $after}, {"status": 429, $after}]}""") {
            val x = tracker { clock = time; flushEvents = 1; keyId = null } // the server would refuse a signature of another time
            x.track("a")
            x.flush()
            assertEquals(3, report("requests=3").requests.size)
            assertEquals(2, time.waits.count { it in 7000..7001 }, "${time.waits}")
        }
    },
    "respects_a_retry_after_date" to {
        val now = Instant.parse("2026-01-15T10:30:00Z")
        // The date counts by the clock of the answer, which is an hour ahead.
        val date = "Thu, 15 Jan 2026 11:30:00 GMT"
        assertEquals(Duration.ofSeconds(6), ApiException.of(503, mapOf("retry-after" to "Thu, 15 Jan 2026 11:30:06 GMT", "date" to date), ByteArray(0), now).retryAfter)
        for ((value, seconds) in mapOf("Thu, 15 Jan 2026 10:30:06 GMT" to 6L, "Thu, 15 Jan 2026 09:30:00 GMT" to 0L, "soon" to 0L, "-5" to 0L, "" to 0L)) {
            assertEquals(Duration.ofSeconds(seconds), retryAfter(value, now), value)
        }
        val time = FakeClock(runs = true)
        recorded({ clock = time; flushEvents = 1; transport = failsOnce(transport, mapOf("retry-after" to "Thu, 15 Jan 2026 11:30:06 GMT", "date" to date)) }) {
            track("a")
            flush()
            assertEquals(1, time.waits.count { it in 6000..6001 }, "${time.waits}")
        }
    },
    "bounds_retry_after" to {
        val now = Instant.parse("2026-01-15T10:30:00Z")
        for (value in listOf("600", "601", "99999999999999999999", "Fri, 16 Jan 2026 10:30:00 GMT")) assertEquals(Duration.ofMinutes(10), retryAfter(value, now), value)
        val time = FakeClock(runs = true)
        recorded({ clock = time; flushEvents = 1; transport = failsOnce(transport, mapOf("retry-after" to "86400")) }) {
            track("a")
            flush()
            assertEquals(1, time.waits.count { it in 600_000..600_001 }, "${time.waits}")
        }
    },
    "retries_a_200_that_does_not_add_up" to {
        retries("""{"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 0}}, {"status": 200, "body": {}}, {"status": 200, "body": []}""")
    },
    "sends_uncompressed_after_415" to {
        scripted("""{"replies": [{"status": 415}]}""") {
            val x = tracker { compressAbove = 1; minBackoff = Duration.ofHours(1); maxBackoff = Duration.ofHours(1) }
            repeat(2) {
                x.track("a", "b")
                x.flush()
            }
            assertEquals(listOf("gzip", null, null), report().requests.map { it.headers["content-encoding"] })
            assertEquals(4 to 0, report().stored.size to x.dropped.size)
        }
        isFinal(415, "unsupported_media_type") // of plain bodies it is
    },
    "gives_up_after_max_attempts" to {
        scripted("""{"replies": [{"status": 503, "times": 3}]}""") {
            val x = tracker { maxAttempts = 3 }
            x.track("a", "b")
            x.flush()
            assertEquals(listOf(503, 503), x.dropped.map { isA<ApiException>(it.second).status })
            assertEquals(3, report().requests.size)
            assertEquals(2L to 2L, x.stats.dropped to x.stats.retries)
        }
        val broken = Transport { throw java.io.IOException("no way") }
        recorded({ maxAttempts = 2; transport = broken }) {
            track("a")
            flush()
            assertTrue("2 attempts" in dropped[0].second.message.orEmpty(), "${dropped[0].second}")
        }
    },
    "preserves_id_on_retry" to {
        scripted("""{"replies": [{"status": 503}, {"drop": "before"}]}""") {
            val x = tracker()
            x.track("a", "b")
            x.flush()
            val r = report("requests=2").requests
            assertEquals(3, r.size)
            assertEquals(1, r.map { it.text }.toSet().size)
            assertTrue(!r[0].events[0].idempotencyKey.isNullOrEmpty())
        }
    },
    "survives_an_answer_that_is_no_problem" to {
        scripted("""{"replies": [{"status": 502, "body": "<h1>Bad gateway</h1>"}, {"status": 200, "body": "<h1>Welcome</h1>"}, {"status": 200, "body": {}}, {"status": 403, "body": "<h1>No</h1>"}]}""") {
            val x = tracker()
            x.track("a")
            x.flush()
            assertEquals(5 to 1, report().requests.size to report().stored.size)
            assertEquals(0, x.dropped.size)
            assertTrue("nimbus: 403 Forbidden: <h1>No</h1>" in x.log, x.log)
        }
    },
    "splits_on_413" to {
        scripted("""{"max_body_bytes": 80000}""") {
            val x = tracker { compressAbove = -1 }
            val want = (0 until 8).map { it.toString() }
            want.forEach { taken(x.tracker.track("e", mapOf("text" to "x".repeat(30_000)), Options(idempotencyKey = it))) }
            x.flush()
            val got = report()
            assertEquals(want to 0, got.stored to x.dropped.size)
            assertEquals("8 4 2 2 4 2 2", got.requests.joinToString(" ") { it.events.size.toString() })
        }
    },
    "drops_a_single_event_on_413" to {
        scripted("""{"max_body_bytes": 20000}""") {
            val x = tracker { compressAbove = -1 }
            x.track("a")
            taken(x.tracker.track("large", mapOf("text" to "x".repeat(30_000))))
            x.track("b")
            x.flush()
            assertEquals(listOf("large"), x.dropped.map { it.first.name })
            assertEquals("body_too_large", isA<ApiException>(x.dropped[0].second).code)
            assertEquals(2L to 1L, x.stats.delivered to x.stats.dropped)
            assertEquals(2, report().stored.size)
        }
    },
    "signs_each_request" to {
        scripted {
            val x = tracker { url += "/below/a%20path/" }
            repeat(2) {
                x.track("a")
                x.flush()
            }
            report("requests=2").requests.forEach {
                assertEquals(listOf("valid", null, 200), listOf(it.signature, it.headers["x-api-key"], it.status))
                assertTrue(it.path.endsWith("/below/a%20path/v1/events"), it.path)
            }
        }
    },
    "re_signs_each_attempt" to {
        val time = FakeClock(runs = true)
        val signed = ArrayList<String>()
        recorded({
            keyId = "nk_test"
            clock = time
            flushEvents = 1
            val to = failsOnce(transport, mapOf("retry-after" to "3"))
            transport = Transport { signed.add(it.headers.getValue("X-Api-Timestamp") + it.headers["X-Api-Signature"]); to.send(it) }
        }) {
            track("a")
            flush()
            assertEquals(2, signed.toSet().size)
            assertEquals(3, signed[1].substring(0, 10).toLong() - signed[0].substring(0, 10).toLong())
        }
    },
    "corrects_its_clock_once" to {
        scripted("""{"clock_ahead_seconds": 3600}""") {
            val x = tracker { minBackoff = Duration.ofHours(1); maxBackoff = Duration.ofHours(1) }
            repeat(2) {
                x.track("a")
                x.flush()
            }
            assertEquals(listOf("stale", "valid", "valid"), report().requests.map { it.signature })
        }
    },
    "does_not_correct_its_clock_forever" to {
        scripted("""{"replies": [${problem(401, "stale_timestamp").dropLast(1)}, "times": 2}]}""") {
            val x = tracker()
            x.track("a")
            x.flush()
            assertEquals(listOf("stale_timestamp"), x.dropped.map { isA<ApiException>(it.second).code })
            assertEquals(2, report().requests.size)
        }
    },
    "sends_the_secret" to {
        scripted {
            val x = tracker { keyId = null }
            x.track("a")
            x.flush()
            val r = report("requests=1").requests[0]
            assertEquals(listOf("ns_test", "absent", 200), listOf(r.headers["x-api-key"], r.signature, r.status))
        }
    },
    "sends_the_write_key" to {
        scripted {
            val x = tracker { keyId = null; secret = null; writeKey = "nw_test" }
            x.track("a")
            x.flush()
            val r = report("requests=1").requests[0]
            assertEquals(listOf("nw_test", "absent", 200), listOf(r.headers["x-write-key"], r.signature, r.status))
        }
    },
    "compresses_large_bodies" to { compresses(true) },
    "does_not_compress_small_bodies" to { compresses(false) },
    "gzip_body_is_signed_as_sent" to {
        scripted("""{"replies": [{"status": 503}]}""") {
            val x = tracker { compressAbove = 1 }
            x.track("a", "b", "c")
            x.flush()
            report("requests=2").requests.forEach { assertEquals(listOf("valid", "gzip", 3), listOf(it.signature, it.headers["content-encoding"], it.events.size)) }
        }
    },
    "reports_rejections" to {
        scripted(
            """{"replies": [{"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
            {"index": 1, "pointer": "/events/1/props/a", "code": "too_deep", "detail": "must be nested less"},
            {"index": 1, "pointer": "/events/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}}]}""",
        ) {
            val x = tracker()
            x.track("good", "bad")
            x.flush()
            assertEquals(listOf("bad"), x.dropped.map { it.first.name })
            val fields = isA<RejectedException>(x.dropped[0].second).fields
            assertEquals(listOf("/props/a too_deep must be nested less", "/ts maximum must not be so far ahead"), fields.map { "${it.pointer} ${it.code} ${it.detail}" })
            assertEquals(listOf(1L, 1L, 0L), x.stats.let { listOf(it.delivered, it.rejected, it.dropped) })
            assertTrue("nimbus: refused: /props/a must be nested less" in x.log, x.log)
        }
    },
    "reports_rejections_of_a_whole_batch" to {
        val errors = """, "accepted":0,"duplicates":0,"rejected":2,"errors":[{"index":0,"pointer":"/events/0/name","code":"length","detail":"x"},{"index":1,"pointer":"/events/1/ts","code":"maximum","detail":"y"}]"""
        scripted("""{"replies": [${problem(422, "all_events_rejected", errors)}]}""") {
            val x = tracker()
            x.track("a", "b")
            x.flush()
            assertEquals(listOf("/name length", "/ts maximum"), x.dropped.map { (_, why) -> isA<RejectedException>(why).fields.single().let { "${it.pointer} ${it.code}" } })
            assertEquals(listOf(2L, 0L, 1L), x.stats.let { listOf(it.rejected, it.dropped, it.requests) })
        }
    },
    "reports_duplicates_as_delivered" to {
        scripted {
            val x = tracker()
            repeat(2) { taken(x.tracker.track("a", null, Options(idempotencyKey = "once"))) }
            x.flush()
            assertEquals(2L to 1L, x.stats.delivered to x.stats.duplicates)
            assertEquals(1, report().stored.size)
        }
    },
    "refuses_a_bad_event_at_once" to {
        scripted {
            val x = tracker()
            val why = isA<RejectedException>(x.tracker.track("", mapOf("text" to "x".repeat(40_000))))
            assertEquals(listOf("/name length", "/props too_large"), why.fields.map { "${it.pointer} ${it.code}" })
            x.flush()
            assertEquals(Stats(refused = 1), x.stats)
            assertEquals(0, report().requests.size)
        }
    },
    "drop_oldest_counts" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker { queueEvents = 2; flushEvents = 2; whenFull = FullPolicy.DROP_OLDEST }
            x.track("a", "b")
            report("waiting=1")
            x.track("c", "d", "e", "f")
            assertEquals(listOf("c", "d"), x.dropped.map { it.first.name })
            x.dropped.forEach { isA<QueueFullException>(it.second) }
            assertEquals(listOf(2L, 6L, 4L), x.stats.let { listOf(it.dropped, it.tracked, it.waiting) })
            release()
            x.flush()
            assertEquals(listOf("a b", "e f"), report("requests=2").requests.map { it.names })
            assertEquals(1, Regex("queue of events is full").findAll(x.log).count(), x.log)
        }
    },
    "full_queue_is_an_error" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker { queueEvents = 1; flushEvents = 1 }
            x.track("a")
            report("waiting=1")
            x.track("b")
            isA<QueueFullException>(x.tracker.track("c"))
            assertEquals(listOf(1L, 2L, 0L), x.stats.let { listOf(it.refused, it.tracked, it.dropped) })
            release()
            x.flush()
            x.track("d")
        }
    },
    "full_queue_blocks" to {
        scripted("""{"replies": [{"hold": true}]}""") {
            val x = tracker { queueEvents = 1; flushEvents = 1; whenFull = FullPolicy.BLOCK }
            x.track("a")
            report("waiting=1")
            x.track("b")
            val said = CompletableFuture<NimbusException?>()
            val caller = thread { said.complete(x.tracker.track("c")) }
            while (caller.state != Thread.State.WAITING) Thread.onSpinWait() // it waits for room
            caller.interrupt()
            isA<InterruptedException>(said.get(60, TimeUnit.SECONDS)?.cause)
            val waiting = (1..5).map { CompletableFuture.supplyAsync({ listOf(x.tracker.track("d")) }) { task -> thread { task.run() } } }
            release()
            waiting.forEach { assertEquals(listOf(null), it.get(60, TimeUnit.SECONDS)) }
            x.flush()
            assertEquals("d", report("requests=7").requests[2].names)
            assertEquals(listOf(7L, 1L, 0L), x.stats.let { listOf(it.delivered, it.refused, it.dropped) })
        }
    },
    "counts_add_up" to {
        scripted("""{"replies": [{"status": 400}, {"status": 503}, {"drop": "after"}, {"hold": true}]}""") {
            val x = tracker { flushEvents = 2; queueEvents = 2; whenFull = FullPolicy.DROP_OLDEST }
            x.track("a", "b")
            x.flush()
            val other = thread { repeat(48) { taken(x.tracker.track("e")) } }
            while (other.isAlive) x.addUp()
            report("waiting=1")
            release()
            x.flush()
            assertEquals(50L to 0L, x.stats.tracked to x.stats.waiting)
            assertEquals(x.stats.dropped, x.dropped.size.toLong())
        }
    },
    "survives_a_crash" to {
        scripted("""{"replies": [{"drop": "after", "times": 2}, {"hold": true}]}""") {
            val dir = Files.createTempDirectory("spool").toFile()
            val copied = Files.createTempDirectory("spool").toFile()
            tracker { spoolDir = dir; flushEvents = 2; whenFull = FullPolicy.BLOCK }.track("a", "b", "c", "d", "e")
            report("waiting=1")
            // What a crash leaves is the directory as it is now; the tracker itself holds the lock for as long as it lives.
            dir.copyRecursively(copied, overwrite = true)
            val second = tracker { spoolDir = copied; flushEvents = 2 }
            second.flush()
            val stored = report().stored
            assertEquals(5, stored.toSet().size)
            assertEquals(5, stored.size)
            assertEquals(listOf(5L, 5L, 2L), second.stats.let { listOf(it.tracked, it.delivered, it.duplicates) })
            assertNotEquals("", stored[0])
        }
    },
)

/** A transport whose first answer is a 503 with these headers. */
private fun failsOnce(then: Transport, headers: Map<String, String>): Transport {
    var first = true
    return Transport { request ->
        if (first) {
            first = false
            HttpResponse(503, headers, ByteArray(0).inputStream())
        } else {
            then.send(request)
        }
    }
}
