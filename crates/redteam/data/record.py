# record UDP round trips: 104 bytes there and back, as Start and Commitment are
import socket,sys,time,threading
mode,addr,n=sys.argv[1],sys.argv[2],int(sys.argv[3])
if mode=='echo':
    s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.bind((addr,7777))
    while True:
        d,a=s.recvfrom(2048); s.sendto(d,a)
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.settimeout(1)
for i in range(n):
    t=time.perf_counter_ns(); s.sendto(i.to_bytes(4,'little')*26,(addr,7777))
    try:
        while True:
            d,_=s.recvfrom(2048)
            if d[:4]==i.to_bytes(4,'little'): break
        print((time.perf_counter_ns()-t)//1000,flush=False)
    except TimeoutError: pass
    time.sleep(0.002)
