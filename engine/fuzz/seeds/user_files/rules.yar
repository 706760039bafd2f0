import "elf"
import "hash"

private global rule Small { condition: filesize < 1MB }

rule Gate : bot linux
{
    meta:
        severity = "High"
        description = "opens a gate"
    strings:
        $text = "gate-of-sesame" ascii wide nocase fullword
        $xored = "open the door" xor(1-255)
        $coded = "gate of sesame" base64
        $hex = { 7f 45 4c ?? [2-8] ( 01 | 4? 02 ) ~00 }
        $regex = /ga[t]{1,3}e(_[0-9a-f]{2,8})+$/i
    condition:
        uint32be(0) == 0x7f454c46 and (any of ($text, $xored) or #hex > 2 or @regex[1] < 0x100)
        and for any i in (1..#coded) : (!coded[i] > 4) and not hash.md5(0, 4) == "x"
}
