package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import java.time.Duration
import java.util.Base64

class BehavioursTest {
    private val tests = ofDelivery + ofPeople + ofVisitors

    /** One test for each behaviour of testvectors/behaviours.json, under its name. */
    @TestFactory
    fun behaviours(): List<DynamicTest> = tests.map { (name, test) -> DynamicTest.dynamicTest(name) { test() } }

    @Test
    fun `each behaviour has a test, and each test is one`() {
        val listed = (vectors("behaviours") as List<*>).map { it as Map<*, *> }.filter { (it["sdks"] as? List<*>)?.contains("kotlin") ?: true }
        assertEquals(listed.map { it["name"] as String }.sorted(), tests.keys.sorted())
    }

    @Test
    fun `signatures are those of the shared vectors`() {
        val seen = HashSet<Boolean>()
        for (one in vectors("signatures") as List<*>) {
            val v = one as Map<*, *>
            val body = (v["body_base64"] as String?)?.let { Base64.getDecoder().decode(it) } ?: (v["body"] as String? ?: "").toByteArray()
            val got = Signature.of(v["secret"] as String, v["timestamp"].toString().toLong(), v["method"] as String, v["path"] as String, body)
            assertEquals(v["valid"], got == v["signature"], "${v["name"]}")
            seen.add(v["valid"] as Boolean)
        }
        assertEquals(setOf(true, false), seen)
    }

    @Test
    fun `the tracker refuses what the shared vectors say`() = recorded {
        var refused = 0
        for (one in vectors("verdicts") as List<*>) {
            val v = one as Map<*, *>
            (v["events"] as List<*>).zip(v["verdicts"] as List<*>).forEach { (json, verdict) ->
                val event = try {
                    Decoder.event(json as Map<*, *>)
                } catch (_: RuntimeException) {
                    return@forEach // nothing that Kotlin's types let one say
                }
                if ((json["seq"] as? Double)?.rem(1.0) ?: 0.0 != 0.0) return@forEach // as above
                val why = tracker.enqueue(event)
                if (why == null) {
                    assertTrue(v["local"] != true, "${v["name"]} was taken")
                    return@forEach
                }
                refused++
                fun short(pointer: String) = if (pointer.startsWith("/props")) "/props" else pointer // where in them is for the server to say
                val want = (verdict as List<*>).map { (it as Map<*, *>).run { "${short(get("pointer") as String)} ${get("code")}" } }
                assertEquals(want, isA<RejectedException>(why).fields.map { "${short(it.pointer)} ${it.code}" }, "${v["name"]}")
            }
        }
        assertTrue(refused > 0)
    }

    @Test
    fun `every mistake of a configuration is named`() {
        val bad = Config(
            "nimbus.example.com", "p", flushEvents = 10_001, flushBytes = 1, queueEvents = -1, queueBytes = 1, minBackoff = Duration.ofHours(1), maxAttempts = -1,
            requestTimeout = Duration.ZERO,
        )
        val said = try {
            Tracker(bad).close()
            ""
        } catch (e: IllegalArgumentException) {
            e.message.orEmpty()
        }
        for (field in listOf("url", "projectId", "credentials", "flushEvents", "flushBytes", "queueEvents", "queueBytes", "maxBackoff", "maxAttempts", "requestTimeout")) {
            assertTrue("Config.$field" in said || field in said, "$field is not named in $said")
        }
        org.junit.jupiter.api.assertThrows<IllegalArgumentException> { Tracker(Config("http://h", PROJECT, secret = "s", writeKey = "w")) }
    }
}
