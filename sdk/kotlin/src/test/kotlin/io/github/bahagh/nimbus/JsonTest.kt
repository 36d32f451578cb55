package io.github.bahagh.nimbus

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import java.math.BigDecimal
import java.math.BigInteger
import java.time.Instant
import java.util.Date
import java.util.UUID

class JsonTest {
    private enum class Plan { PRO }

    @Test
    fun `what props are made of is written`() {
        val at = Instant.parse("2026-01-02T01:04:05.123456789Z")
        val all = mapOf(
            "s" to "a\"\\\n\u0001é\uD83C\uDF89\uD83C", "n" to listOf(1, 2L, 1.5, 1e300, 3.0, -0.1f, BigDecimal("1e400"), BigInteger.TEN), "b" to true, "none" to null,
            "list" to intArrayOf(1, 2), "array" to arrayOf("x"), "set" to setOf(1), "at" to at, "date" to Date(0), "plan" to Plan.PRO,
            "id" to UUID(0, 1), "deep" to mapOf(1 to mapOf("a" to 1)),
        )
        val want = """{"s":"a\"\\\u000a\u0001é🎉�","n":[1,2,1.5,1.0E300,3,-0.1,1E+400,10],"b":true,"none":null,"list":[1,2],"array":["x"],"set":[1],""" +
            """"at":"2026-01-02T01:04:05.123456Z","date":"1970-01-01T00:00:00Z","plan":"PRO","id":"00000000-0000-0000-0000-000000000001","deep":{"1":{"a":1}}}"""
        assertEquals(want, Json.write(all))
        assertEquals(want.replace("1.0E300", "1.0E300"), Json.write(Json.parse(want)))
    }

    @Test
    fun `what is no JSON is not written`() {
        val cycle = HashMap<String, Any?>()
        cycle["self"] = listOf(cycle)
        for (value in listOf(Double.NaN, Float.POSITIVE_INFINITY, Any(), { 1 }, cycle, mapOf(null to 1))) {
            assertThrows(JsonException::class.java) { Json.write(mapOf("v" to value)) }
        }
    }

    @Test
    fun `what is JSON is read, and nothing else`() {
        assertEquals(listOf(1L, BigInteger("9223372036854775808"), -1.5e3, BigDecimal("1e400"), "é/\n", true, null, emptyMap<String, Any>(), listOf(mapOf("a" to listOf(1L)))),
            Json.parse(" [1, 9223372036854775808,-1.5E3 ,1e400,\"\\u00e9\\/\\n\",true,null,{ } , [{\"a\" : [1]}]]\n"))
        val bad = listOf("", "[", "[1", "[1,]", "{", "{1:2}", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "+1", "\"a", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "tru", "nulls", "1 2", "NaN", "[".repeat(1000))
        for (text in bad) assertThrows(JsonException::class.java, { Json.parse(text) }, text)
    }
}
